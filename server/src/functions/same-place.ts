import { routeShape, sameRoute } from "#functions/http-routes.ts";
import type { DeclaredFunction, LoadFault } from "#ports/function-host.ts";

/**
 * Which of several functions want what only one can have, a path or a queue, with a sentence each. It stays with the function
 * that has it; of new ones, the first by name gets it.
 *
 * @param running as they were declared before; one whose file broke goes on, and keeps what it has.
 */
export function samePlaces(
  declared: readonly DeclaredFunction[],
  running: readonly DeclaredFunction[],
  faults: readonly LoadFault[],
): ReadonlyMap<string, string> {
  const placeNow = new Map(declared.map((one) => [one.name, placeOf(one)]));
  const broken = new Set(faults.map(({ name }) => name));
  const holders = new Map<string, DeclaredFunction>();
  for (const one of running) {
    const place = placeOf(one);
    const stays = broken.has(one.name) || placeNow.get(one.name) === place;
    if (place !== null && stays) holders.set(place, one);
  }
  const says = new Map<string, string>();
  for (const one of declared.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const place = placeOf(one);
    if (place === null) continue;
    const holder = holders.get(place);
    if (holder === undefined) holders.set(place, one);
    else if (holder.name !== one.name) says.set(one.name, sentence(one, holder));
  }
  return says;
}

/** Null: any number of functions may have the same. */
function placeOf({ on }: DeclaredFunction): string | null {
  if (on.kind === "queue") return `queue ${on.queue}`;
  return on.kind === "http" ? routeShape(on) : null;
}

function sentence({ on }: DeclaredFunction, holder: DeclaredFunction): string {
  if (on.kind === "http") return sameRoute(on, holder);
  const queue = on.kind === "queue" ? on.queue : "";
  return `The queue ${queue} is worked by ${holder.file}:${holder.line} already, and a message has one handler; take another queue, or let both hear an event.`;
}
