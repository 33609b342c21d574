import assert from "node:assert/strict";
import { test } from "node:test";
import fc, { type Arbitrary } from "fast-check";
import type { Routing } from "#domain/notification.ts";
import {
  hasFallback,
  type Leaf,
  type LeafState,
  leavesOf,
  openLeaves,
  type RouteTree,
  routeTree,
  routingProblem,
  stateOf,
} from "#domain/routing.ts";

test("a routing may hold routings, and each of them must be one", () => {
  const nested = { method: "single", channels: ["email", { method: "all", channels: ["sms", "push"] }] };
  assert.equal(routingProblem(nested), null);
  for (const wrong of [null, 1, [], {}, { channels: ["sms"] }, { method: "both", channels: [] }, { method: "all" }]) {
    assert.match(routingProblem({ method: "single", channels: ["email", wrong] }) ?? "", /an entry of routing is/);
  }
});

const { routing } = fc.letrec<{ routing: Routing }>((tie) => ({
  routing: fc.record({
    method: fc.constantFrom("single", "all"),
    channels: fc.array(fc.oneof({ maxDepth: 3, depthSize: "small" }, fc.constantFrom("email", "sms"), tie("routing")), {
      maxLength: 3,
    }),
  }),
}));
/** How a leaf ends, after how many tries that change nothing. */
const ending = fc.record({
  tries: fc.nat(2),
  state: fc.constantFrom<Exclude<LeafState, "open">>("sent", "failed", "skipped", "held"),
});
const endings = fc.infiniteStream(ending);

/** What happened on a message's way, and what was known of each leaf in the end. */
type Walk = { readonly tree: RouteTree; readonly states: readonly LeafState[]; readonly tried: readonly number[] };

/** Works on whatever is open, one leaf or all at once as `together` says, until nothing is. */
function walk(
  tree: RouteTree,
  ends: Iterable<{ readonly tries: number; readonly state: LeafState }>,
  together: boolean,
  look: (states: readonly LeafState[], open: readonly number[]) => void = () => {},
): Walk {
  const iterator = ends[Symbol.iterator]();
  const plans = leavesOf(tree).map(() => iterator.next().value ?? { tries: 0, state: "failed" as const });
  const states: LeafState[] = plans.map(() => "open");
  const tried: number[] = plans.map(() => 0);
  const at = (index: number): LeafState => states[index] ?? "open";
  for (;;) {
    const open = openLeaves(tree, at);
    look(states, open);
    if (open.length === 0) return { tree, states, tried };
    for (const index of together ? open : open.slice(0, 1)) {
      const [plan, before] = [plans[index], tried[index] ?? 0];
      assert.equal(states[index], "open", "what is done is not tried again");
      tried[index] = before + 1;
      if (plan !== undefined && before >= plan.tries) states[index] = plan.state;
      assert.ok(before <= 2, "the walk ends");
    }
  }
}

const walks: Arbitrary<Walk> = fc
  .tuple(routing, endings, fc.boolean())
  .map(([one, ends, together]) => walk(routeTree(one), ends, together));

test("whatever its ways come to, a message settles, and nothing that is done is tried again", () => {
  fc.assert(
    fc.property(routing, endings, fc.boolean(), (one, ends, together) => {
      const tree = routeTree(one);
      assert.deepEqual(
        leavesOf(tree).map(({ index }) => index),
        leavesOf(tree).map((_, index) => index),
        "leaves are numbered as they are written",
      );
      walk(tree, ends, together, (states, open) => {
        const state = stateOf(tree, (index) => states[index] ?? "open");
        assert.equal(state === "open", open.length > 0, `${state} with ${open.length} to be tried`);
      });
    }),
  );
});

test("of a `single`, one entry at most reaches anyone, and none is tried before those above it have failed", () => {
  fc.assert(
    fc.property(walks, ({ tree, states, tried }) => {
      for (const { method, nodes } of treesOf(tree)) {
        if (method !== "single") continue;
        const below = nodes.map((node) => ("entry" in node ? [node] : leavesOf(node)));
        const reached = below.filter((leaves) => leaves.some(({ index }) => isDecided(states[index])));
        assert.ok(reached.length <= 1);
        const last = below.findLastIndex((leaves) => leaves.some(({ index }) => (tried[index] ?? 0) > 0));
        for (const leaves of below.slice(0, Math.max(0, last)))
          assert.ok(leaves.every(({ index }) => !isDecided(states[index])));
      }
    }),
  );
});

test("of an `all` that is tried at all, every entry comes to its end", () => {
  fc.assert(
    fc.property(walks, ({ tree, states, tried }) => {
      const look = (node: RouteTree | Leaf): boolean =>
        "entry" in node ? (tried[node.index] ?? 0) > 0 : node.nodes.some(look);
      for (const { method, nodes } of treesOf(tree)) {
        if (method !== "all" || !nodes.some(look)) continue;
        for (const node of nodes) {
          const state = "entry" in node ? states[node.index] : stateOf(node, (index) => states[index] ?? "open");
          assert.notEqual(state, "open");
        }
      }
    }),
  );
});

test("the whole was sent when a way of it was, and is held, failed or skipped only if none was", () => {
  fc.assert(
    fc.property(walks, ({ tree, states }) => {
      const state = stateOf(tree, (index) => states[index] ?? "open");
      if (states.includes("sent")) assert.equal(state, "sent");
      else if (states.includes("held")) assert.equal(state, "held");
      else assert.equal(state, states.includes("failed") ? "failed" : "skipped");
    }),
  );
});

test("a way has a fallback exactly if giving it up can open one that would else stay closed", () => {
  /** What is known of each leaf somewhere on the way. */
  const moment = fc.tuple(routing, endings, fc.boolean(), fc.nat(6)).map(([one, ends, together, stop]) => {
    const tree = routeTree(one);
    const moments: LeafState[][] = [];
    walk(tree, ends, together, (states) => moments.push([...states]));
    return { tree, states: moments[stop % moments.length] ?? [] };
  });
  fc.assert(
    fc.property(moment, ({ tree, states }) => {
      const open = openLeaves(tree, (index) => states[index] ?? "open");
      const undone = states.flatMap((state, index) => (state === "open" ? [index] : []));
      fc.pre(undone.length < 7);
      /** The ways that are tried from here on, if each comes to what its bit says. */
      const tried = (ends: number): ReadonlySet<number> => {
        const now = [...states];
        const all = new Set<number>();
        for (;;) {
          const next = openLeaves(tree, (index) => now[index] ?? "open");
          if (next.length === 0) return all;
          for (const index of next) {
            all.add(index);
            now[index] = (ends >> undone.indexOf(index)) % 2 === 1 ? "failed" : "sent";
          }
        }
      };
      for (const index of open) {
        const bit = 1 << undone.indexOf(index);
        // Whatever becomes of the others.
        const helps = Array.from({ length: 2 ** undone.length }, (_, ends) => ends).some(
          (ends) => !tried(ends | bit).isSubsetOf(tried(ends & ~bit)),
        );
        assert.equal(
          hasFallback(tree, index, (at) => states[at] ?? "open"),
          helps,
          `way ${index}`,
        );
      }
    }),
    { numRuns: 500 },
  );
});

function isDecided(state: LeafState | undefined): boolean {
  return state === "sent" || state === "held";
}

function treesOf(tree: RouteTree): readonly RouteTree[] {
  return [tree, ...tree.nodes.flatMap((node) => ("entry" in node ? [] : treesOf(node)))];
}
