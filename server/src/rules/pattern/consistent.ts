import type { Scope } from "./event-leaves.ts";

/**
 * Where a condition holds: here, that is in no array further in, or else in which elements of which arrays. So a condition is
 * a tree of the elements in which it can be fulfilled.
 */
export type Reach = { isHere: boolean; readonly arrays: Map<number, Map<Scope, Reach>> };

/** Counts down; at none left the search gives up. */
export type Steps = { left: number };

/** Makes the tree of the places in which a condition holds; null for none. */
export function reachOf(scopes: readonly Scope[]): Reach | null {
  if (scopes.length === 0) return null;
  const root: Reach = { isHere: false, arrays: new Map() };
  const known = new Map<Scope, Reach>();
  for (const scope of scopes) place(scope, root, known).isHere = true;
  return root;
}

function place(scope: Scope, root: Reach, known: Map<Scope, Reach>): Reach {
  if (scope.outer === null) return root;
  let reach = known.get(scope);
  if (reach === undefined) {
    const { arrays } = place(scope.outer, root, known);
    let elements = arrays.get(scope.array);
    if (elements === undefined) arrays.set(scope.array, (elements = new Map()));
    elements.set(scope, (reach = { isHere: false, arrays: new Map() }));
    known.set(scope, reach);
  }
  return reach;
}

/**
 * Whether all conditions can hold with one element chosen of every array. Arrays at one level are independent, so each is
 * decided by itself and no element is looked at twice. Only if one condition may be fulfilled by either of two arrays,
 * which names with dots can bring about, each is tried.
 */
export function isConsistent(needs: readonly Reach[], steps: Steps): boolean {
  const open = needs.filter(({ isHere }) => !isHere);
  if (open.length < 2) return true;
  const either = open.find(({ arrays }) => arrays.size > 1);
  if (either !== undefined) {
    const others = open.filter((need) => need !== either);
    for (const [array, elements] of either.arrays) {
      if (steps.left <= 0) return false;
      // All of them are looked through again.
      steps.left -= open.length;
      if (isConsistent([...others, { isHere: false, arrays: new Map([[array, elements]]) }], steps)) return true;
    }
    return false;
  }
  const byArray = Map.groupBy(
    open.flatMap(({ arrays }) => [...arrays]),
    ([array]) => array,
  );
  for (const group of byArray.values()) {
    if (
      !oneElement(
        group.map(([, elements]) => elements),
        steps,
      )
    )
      return false;
  }
  return true;
}

/** Whether one element of an array fulfils all that is needed of the array. */
function oneElement(needs: readonly ReadonlyMap<Scope, Reach>[], steps: Steps): boolean {
  if (needs.length < 2) return true;
  const fewest = needs.reduce((least, need) => (need.size < least.size ? need : least));
  for (const element of fewest.keys()) {
    if (steps.left-- <= 0) return false;
    const inside = needs.map((need) => need.get(element)).filter((reach) => reach !== undefined);
    if (inside.length === needs.length && isConsistent(inside, steps)) return true;
  }
  return false;
}
