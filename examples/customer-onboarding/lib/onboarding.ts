import { collection } from "tidings";

/** Words that the functions share: what is in the queue, in the events and in the store. */

export type Person = { readonly email: string; readonly firstName: string; readonly lastName: string };

export function isPerson(body: unknown): body is Person {
  if (typeof body !== "object" || body === null) return false;
  const fields = new Map<string, unknown>(Object.entries(body));
  return ["email", "firstName", "lastName"].every((name) => typeof fields.get(name) === "string");
}

/** A message of the queue `customer-registration`. */
export type Registration = Registered<Person>;
export type Registered<Body> = { readonly customerId: string; readonly trackingId: string; readonly person: Body };

export type Customer = Person & { readonly accountId: string; readonly createdMs: number };
export type AccountCreated = { readonly customerId: string; readonly accountId: string; readonly person: Person };

/** How often each event happened on one day. */
export type Counter = Readonly<Record<string, number>>;

export const REGISTRATIONS = "customer-registration";
export const SOURCE = "customer-service";
export const customers = collection<Customer>("customers", { indexes: ["email"] });
export const counters = collection<Counter>("counters");
