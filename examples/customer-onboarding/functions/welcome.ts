import { defineFunction, event } from "tidings";
import { type AccountCreated, SOURCE } from "../lib/onboarding.ts";

export default defineFunction({
  on: event<AccountCreated>({ source: [SOURCE], "detail-type": ["CustomerAccountCreated"] }),
  handler({ data: { accountId, person } }, { send }) {
    send({
      to: { email: person.email },
      content: { title: "Welcome, {name}", body: "Your account is ready. Its number is {accountId}." },
      data: { name: person.firstName, accountId },
    });
  },
});
