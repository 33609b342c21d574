import { defineFunction, http } from "tidings";
import { customers } from "../lib/onboarding.ts";

export default defineFunction({
  on: http("GET", "/api/customers/:id"),
  async handler({ params }, { documents }) {
    const found = await documents.get(customers, params["id"] ?? "");
    return found === null ? { status: 404, body: { error: "no such customer, or not yet" } } : { body: found.value };
  },
});
