import assert from "node:assert/strict";
import { test } from "node:test";
import { judge } from "./judge.ts";

const ADA = { email: "ada@example.com", firstName: "Ada", lastName: "Lovelace" };

test("a proper registration is validated, and the event has who it is", () => {
  const { type, subject, data } = judge("c-1", ADA);
  assert.deepEqual([type, subject, data], ["CustomerValidated", "c-1", { customerId: "c-1", person: ADA }]);
});

test("whatever is wrong is said at once", () => {
  const person = { email: "nowhere", firstName: "X", lastName: "" };
  const { type, data } = judge("c-1", person);
  const errors = ["The email address is not one.", "The first name is too short."];
  assert.deepEqual([type, data], ["CustomerValidationFailed", { customerId: "c-1", person, errors }]);
});
