import { after, before } from "node:test";
import { storeConforms, type StoreOpening } from "#conformance/store.ts";
import { storesAgree } from "#conformance/store-agreement.ts";
import { openMemoryStore } from "#drivers/memory/store.ts";
import { openPostgresStore } from "#drivers/postgres/open.ts";
import { type TestDatabase, testDatabase } from "../../../test/support/test-database.ts";

let database: TestDatabase;
before(async () => {
  database = await testDatabase();
});
after(() => database[Symbol.asyncDispose]());

const open = ({ clock, at }: StoreOpening) =>
  openPostgresStore({ url: database.url, clock, schema: database.schema(at), connectionsMax: 4 });

storeConforms("postgres", open);
storesAgree("postgres", open, async ({ clock }) => openMemoryStore({ clock }), 100);
