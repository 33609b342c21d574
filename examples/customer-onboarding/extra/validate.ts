import { defineFunction, queue } from "tidings";
import { judge } from "../lib/judge.ts";
import { type Person, REGISTRATIONS, type Registered } from "../lib/onboarding.ts";

/** What the old app writes into the queue. */
type OldPerson = { readonly mail: string; readonly name: string };

/** The validation once it was mended: it reads the registrations of the old app, too. */
export default defineFunction({
  on: queue<Registered<Person | OldPerson>>(REGISTRATIONS, { batchSize: 100 }),
  handler(batch, { events }) {
    for (const { body } of batch) events.raise(judge(body.customerId, personIn(body.person)));
  },
});

function personIn(person: Person | OldPerson): Person {
  if (!("mail" in person)) return person;
  const [firstName = "", ...rest] = person.name.split(" ");
  return { email: person.mail, firstName, lastName: rest.join(" ") };
}
