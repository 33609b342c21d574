import { createRequire } from "node:module";
import { startFauxqs } from "fauxqs";

/**
 * `node sqs-rival.ts NAME FOLDER`: one of the SQS servers that npm offers, in a process of its own, without its log and on a
 * free port, which it prints.
 */
const [name, folder = ""] = process.argv.slice(2);
/** Those without types of their own that we could use. */
const require = createRequire(import.meta.url);

const STARTS: Readonly<Record<string, () => Promise<number>>> = {
  fauxqs: async () => (await startFauxqs({ port: 0, host: "127.0.0.1", logger: false })).port,
  "fauxqs-disk": async () => (await startFauxqs({ port: 0, host: "127.0.0.1", logger: false, dataDir: folder })).port,
  sqslite: async () => {
    const make = require("sqslite") as (options: object) => {
      listen(port: number, host: string): Promise<string>;
    };
    return Number(new URL(await make({ logger: false }).listen(0, "127.0.0.1")).port);
  },
  "fake-sqs": async () => {
    const Server = require("fake-sqs") as new () => { bootstrap(): Promise<string> };
    return Number((await new Server().bootstrap()).split(":")[1]);
  },
};

const port = await STARTS[name ?? ""]?.();
if (port === undefined) throw new Error(`no SQS server ${name}; there are ${Object.keys(STARTS).join(", ")}`);
process.stdout.write(`${JSON.stringify({ port })}\n`);
