import type { RaisedEvent } from "tidings";
import { type Person, SOURCE } from "./onboarding.ts";

const ADDRESS = /^[^@\s]+@[^@\s]+\.[^@\s]+$/;

/** What becomes of a registration: `CustomerValidated`, or `CustomerValidationFailed` and why. */
export function judge(customerId: string, person: Person): RaisedEvent {
  const errors: string[] = [];
  if (!ADDRESS.test(person.email)) errors.push("The email address is not one.");
  if (person.firstName.length < 2) errors.push("The first name is too short.");
  const about = { source: SOURCE, subject: customerId };
  return errors.length === 0
    ? { ...about, type: "CustomerValidated", data: { customerId, person } }
    : { ...about, type: "CustomerValidationFailed", data: { customerId, person, errors } };
}
