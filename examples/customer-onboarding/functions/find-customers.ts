import { defineFunction, http } from "tidings";
import { customers } from "../lib/onboarding.ts";

/** Customers, a page at a time; `?email=` finds one by the index. */
export default defineFunction({
  on: http("GET", "/api/customers"),
  async handler({ query: { email, cursor = null } }, { documents }) {
    const where = email === undefined ? {} : { where: { email } };
    const page = await documents.query(customers, { ...where, cursor, limit: 1_000 });
    return { body: { customers: page.documents.map(({ id, value }) => ({ id, ...value })), cursor: page.cursor } };
  },
});
