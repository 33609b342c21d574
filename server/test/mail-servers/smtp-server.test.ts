import { test } from "node:test";
import { MailHost } from "../support/mail-host.ts";
import { carriesEverything } from "./carries-everything.ts";
import { INTERNATIONAL_KINDS, MAIL_KINDS } from "./mail-kinds.ts";

test("nodemailer's smtp-server gets every kind of mail as we wrote it, once, with signatures that verify", async () => {
  await using host = await MailHost.open();
  const kinds = [...MAIL_KINDS, ...INTERNATIONAL_KINDS];
  await carriesEverything("sn", kinds, { port: host.port }, host);
  await carriesEverything("sp", kinds, { port: host.port, query: "pipelining=false" }, host);
});
