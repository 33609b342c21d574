/**
 * Makes the drawing of what was read. It looks at definitions and figures only, never at a description that somebody wrote
 * beside them, so it cannot be out of date.
 */
import { DEFAULT_BUS, OWN_BUS, parseArn } from "#domain/arn.ts";
import { BLOB_QUEUE } from "#functions/feeders/blob-listeners.ts";
import { EVENT_QUEUE } from "#functions/feeders/event.ts";
import { SCHEDULE_QUEUE } from "#functions/feeders/schedule.ts";
import { STREAM_CONSUMER } from "#functions/feeders/stream.ts";
import type { FunctionStatus } from "#functions/desk.ts";
import { triggerText } from "#functions/trigger-text.ts";
import { queueOf } from "#engine/consumer.ts";
import type { QueueDepth } from "#ports/store.ts";
import { storeQueueOf } from "#queues/queue.ts";
import type { RuleLoad } from "#rules/rule-loads.ts";
import type { Rule } from "#rules/rule.ts";
import type { Facts } from "#topology/facts.ts";
import { type Edge, type EdgeKind, type Graph, idOf, type Load, type Node, plainNode } from "#topology/graph.ts";
import { TYPES_SHOWN } from "#topology/limits.ts";
import { patternText, short } from "#topology/pattern-text.ts";

/** The doors, in the words of whoever calls them. */
const DOOR = {
  send: "POST /send",
  events: "POST /events",
  queues: "SQS and POST /queues",
  blobs: "PUT /blobs",
  functions: "paths of functions",
} as const;
const [SENDS, FILES, JOURNAL, OWN] = ["notifications", "files", "journal", "Tidings itself"];
/** Lines of the store that all notifications share, and those of rules and webhooks. */
const SEND_QUEUES = ["expand", "message"];
const SHARED: Readonly<Record<string, string>> = {
  target: "deliveries of rules",
  webhook: "deliveries to webhooks",
  "function-messages": "messages of functions on their way into queues",
};

/** Everything, however much it is; `fold` makes it a size that somebody can look at. */
export function draw(facts: Facts): Graph {
  const drawing = new Drawing(facts);
  drawing.all();
  return drawing.graph();
}

type Line = { readonly kind: EdgeKind; readonly label?: string | null; readonly isOff?: boolean };

class Drawing {
  readonly #facts: Facts;
  readonly #loads: ReadonlyMap<string, Load>;
  readonly #nodes = new Map<string, Node>();
  /** By all that tells them apart. */
  readonly #edges = new Map<string, Edge>();
  /** From where to where there is an edge. */
  readonly #pairs = new Set<string>();
  readonly #ruleLoads: ReadonlyMap<string, RuleLoad>;

  constructor(facts: Facts) {
    this.#facts = facts;
    this.#loads = loadsOf(facts.depths, facts.atMs);
    this.#ruleLoads = new Map(facts.ruleLoads.map((load) => [`${load.bus}/${load.name}`, load]));
  }

  all(): void {
    const { buses, lists, webhooks, queues, rules, readers, functions } = this.#facts;
    this.#add(plainNode("send", SENDS, { load: this.#loadOf(SEND_QUEUES) }));
    this.#line(this.#door(DOOR.send), idOf("send", SENDS), { kind: "gives" });
    // Ours is one like any other only when somebody listens on it.
    for (const name of [DEFAULT_BUS, ...buses.items]) if (name !== OWN_BUS) this.#add(plainNode("bus", name));
    for (const { id, url, state } of webhooks.items) {
      this.#add(plainNode("webhook", id, { says: originOf(url), state: state === "enabled" ? "fine" : "off" }));
    }
    for (const queue of queues.items) {
      this.#add(plainNode("queue", queue.name, { load: this.#loadOf([storeQueueOf(queue)]), calls: queue.calls }));
    }
    for (const one of functions) this.#add(this.#functionNode(one));
    for (const rule of rules.items) this.#rule(rule);
    for (const one of functions) this.#triggerOf(one);
    for (const [name, things] of this.#facts.seen) this.#emissions(name, things);
    this.#deadLetterQueues();
    for (const { name, behind } of readers.items) {
      const load = deadOnly(this.#loadOf([queueOf({ name })]));
      this.#line(this.#journal(), this.#add(plainNode("reader", name, { behind, load })), { kind: "gives" });
    }
    for (const id of lists.items) this.#line(idOf("send", SENDS), this.#add(plainNode("list", id)), { kind: "gives" });
    this.#entries();
  }

  graph(): Graph {
    const shared = Object.entries(SHARED).flatMap(([queue, name]) => {
      const load = this.#loads.get(queue);
      return load === undefined || isEmpty(load) ? [] : [{ name, load }];
    });
    return {
      atMs: this.#facts.atMs,
      nodes: [...this.#nodes.values()],
      edges: [...this.#edges.values()],
      shared,
      notes: this.#notes(),
    };
  }

  #rule(rule: Rule): void {
    const { bus, name, state, pattern, targets, managedBy } = rule;
    const isOff = state === "DISABLED" || pattern === null;
    const from = this.#bus(bus);
    const label = pattern === null ? "no pattern" : patternText(pattern);
    const [sole] = targets;
    // A rule that somebody manages is a part of what it gives to.
    if (managedBy !== null && sole !== undefined && targets.length === 1) {
      this.#line(from, this.#target(sole.arn), { kind: isFunction(sole.arn) ? "starts" : "gives", label, isOff });
      return;
    }
    const load = this.#ruleLoads.get(`${bus}/${name}`);
    const node = plainNode("rule", `${bus}/${name}`, {
      says: label,
      state: isOff ? "off" : "fine",
      ...(load === undefined
        ? {}
        : {
            load: { waiting: load.waiting, inHand: 0, dead: load.dead, oldestMs: this.#ageOf(load.oldestMs) },
            calls: { done: load.delivered, failed: load.failed },
          }),
    });
    this.#line(from, this.#add(node), { kind: "gives", isOff });
    for (const { arn, deadLetterArn } of targets) {
      this.#line(node.id, this.#target(arn), { kind: isFunction(arn) ? "starts" : "gives", isOff });
      if (deadLetterArn !== null) this.#line(node.id, this.#target(deadLetterArn), { kind: "dead", isOff });
    }
  }

  /** The node that an ARN names; one that is not there is drawn as missing. */
  #target(text: string): string {
    const arn = parseArn(text);
    switch (arn?.kind) {
      case "send":
        return idOf("send", SENDS);
      case "queue":
        return this.#named("queue", arn.name);
      case "bus":
        return this.#bus(arn.name);
      case "webhook":
        return this.#named("webhook", arn.id);
      case "function":
        return this.#named("function", arn.name);
      case undefined:
      case "rule":
      case "archive":
      case "replay":
        return this.#add(plainNode("other", text, { state: "faulty", why: "Nothing here delivers to it." }));
    }
  }

  #functionNode({ declared, state, fault, tally, waiting, nextRunMs }: FunctionStatus): Node {
    const { name, on } = declared;
    const isReader = on.kind === "stream";
    const load = this.#loadOf([
      ...(on.kind === "event" ? [EVENT_QUEUE + name] : []),
      ...(on.kind === "blob" ? [BLOB_QUEUE + name] : []),
      ...(on.kind === "schedule" ? [SCHEDULE_QUEUE + name] : []),
      ...(isReader ? [queueOf({ name: STREAM_CONSUMER + name })] : []),
    ]);
    return plainNode("function", name, {
      state: state === "running" ? "fine" : "faulty",
      why: fault,
      load: isReader || on.kind === "schedule" ? deadOnly(load) : load,
      calls: { done: tally.done, failed: tally.failed },
      behind: isReader ? waiting : null,
      nextMs: nextRunMs,
    });
  }

  #triggerOf({ declared: { name, on }, state }: FunctionStatus): void {
    const to = idOf("function", name);
    const isOff = state !== "running";
    const starts = { kind: "starts", isOff } as const;
    switch (on.kind) {
      case "queue":
        return this.#line(this.#named("queue", on.queue), to, starts);
      case "event": {
        // Its rule says so already, if it is there.
        if (!this.#pairs.has(pairOf(idOf("bus", on.bus), to)))
          this.#line(this.#bus(on.bus), to, { kind: "starts", label: patternText(on.pattern), isOff: true });
        return;
      }
      case "stream":
        return this.#line(this.#journal(), to, {
          ...starts,
          label: on.filter === null ? null : patternText(on.filter),
        });
      case "http":
        return this.#line(this.#door(DOOR.functions), to, { ...starts, label: triggerText(on) });
      case "schedule":
        return this.#line(this.#add(plainNode("schedule", triggerText(on))), to, starts);
      case "blob":
        return this.#line(this.#files(), to, { ...starts, label: short(triggerText(on)) });
    }
  }

  /** What a function of this name was seen to do. */
  #emissions(name: string, things: ReadonlySet<string>): void {
    const from = idOf("function", name);
    if (!this.#nodes.has(from)) return;
    const types = new Map<string, string[]>();
    for (const thing of things) {
      const colon = thing.indexOf(":");
      const [kind, what] = colon === -1 ? [thing, ""] : [thing.slice(0, colon), thing.slice(colon + 1)];
      if (kind === "send") this.#line(from, idOf("send", SENDS), { kind: "emits" });
      if (kind === "queue") this.#line(from, this.#named("queue", what), { kind: "emits" });
      if (kind === "documents") this.#line(from, this.#add(plainNode("documents", what)), { kind: "emits" });
      // A bus may have slashes in its name, and so may a type: the longest bus that there is.
      if (kind === "event") {
        const bus = this.#busIn(what);
        types.set(bus, [...(types.get(bus) ?? []), what.slice(bus.length + 1)]);
      }
    }
    for (const [bus, all] of types) {
      const rest = all.length - TYPES_SHOWN;
      const shown = all.toSorted().slice(0, TYPES_SHOWN).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
      this.#line(from, this.#bus(bus), { kind: "emits", label: short(shown) });
    }
  }

  #busIn(text: string): string {
    const known = this.#facts.buses.items.filter((name) => text.startsWith(`${name}/`));
    const longest = known.toSorted((one, other) => other.length - one.length)[0];
    return longest ?? text.slice(0, Math.max(0, text.indexOf("/")));
  }

  #deadLetterQueues(): void {
    for (const { name, attributes } of this.#facts.queues.items) {
      const { redrive } = attributes;
      if (redrive === null) continue;
      const label = `after ${redrive.receiveMax} ${redrive.receiveMax === 1 ? "receive" : "receives"}`;
      this.#line(idOf("queue", name), this.#named("queue", redrive.deadLetterQueue), { kind: "dead", label });
    }
  }

  /** Where things come in. Nobody is expected to send to a queue for dead letters, or events to our own bus. */
  #entries(): void {
    const graves = new Set([...this.#edges.values()].filter(({ kind }) => kind === "dead").map(({ to }) => to));
    for (const { id, kind, name, state } of [...this.#nodes.values()]) {
      if (kind === "queue" && !graves.has(id) && state !== "missing")
        this.#line(this.#door(DOOR.queues), id, { kind: "gives" });
      if (kind !== "bus") continue;
      if (name === OWN_BUS) this.#line(this.#add(plainNode("own", OWN)), id, { kind: "gives" });
      else this.#line(this.#door(DOOR.events), id, { kind: "gives" });
    }
  }

  #door(name: string): string {
    return this.#add(plainNode("door", name));
  }

  #journal(): string {
    if (this.#nodes.has(idOf("journal", JOURNAL))) return idOf("journal", JOURNAL);
    const id = this.#add(plainNode("journal", JOURNAL));
    this.#line(this.#door(DOOR.events), id, { kind: "gives" });
    this.#line(this.#add(plainNode("own", OWN)), id, { kind: "gives" });
    return id;
  }

  #files(): string {
    if (this.#nodes.has(idOf("files", FILES))) return idOf("files", FILES);
    const id = this.#add(plainNode("files", FILES));
    this.#line(this.#door(DOOR.blobs), id, { kind: "gives" });
    return id;
  }

  /** A bus on which a rule is put is there, whether it was looked at or not. */
  #bus(name: string): string {
    return this.#add(plainNode("bus", name));
  }

  /** Something that can be named without being there. */
  #named(kind: "queue" | "webhook" | "function", name: string): string {
    const { queues, webhooks } = this.#facts;
    const isUnknown = (kind === "queue" && queues.isCut) || (kind === "webhook" && webhooks.isCut);
    const why = kind === "function" ? "This node has not loaded it." : `There is no such ${kind}.`;
    return this.#add(plainNode(kind, name, isUnknown ? {} : { state: "missing", why }));
  }

  #add(node: Node): string {
    if (!this.#nodes.has(node.id)) this.#nodes.set(node.id, node);
    return node.id;
  }

  #line(from: string, to: string, { kind, label = null, isOff = false }: Line): void {
    const key = JSON.stringify([from, to, kind, label]);
    const known = this.#edges.get(key);
    // Of two that are alike one that works counts.
    if (known?.isOff === false) return;
    this.#edges.set(key, { from, to, kind, label, isOff, many: 1 });
    this.#pairs.add(pairOf(from, to));
  }

  #loadOf(queues: readonly string[]): Load {
    return queues.reduce((sum, queue) => added(sum, this.#loads.get(queue) ?? NO_LOAD), NO_LOAD);
  }

  #ageOf(sinceMs: number | null): number | null {
    return sinceMs === null ? null : Math.max(0, this.#facts.atMs - sinceMs);
  }

  #notes(): readonly string[] {
    const { queues, rules, webhooks, lists, buses, readers } = this.#facts;
    const cut: readonly (readonly [string, { readonly items: readonly unknown[]; readonly isCut: boolean }])[] = [
      ["queues", queues],
      ["rules", rules],
      ["webhooks", webhooks],
      ["lists", lists],
      ["buses", buses],
      ["readers", readers],
    ];
    return cut.flatMap(([what, { items, isCut }]) =>
      isCut ? [`There are more ${what} than the ${items.length.toLocaleString("en")} that were looked at.`] : [],
    );
  }
}

const NO_LOAD: Load = { waiting: 0, inHand: 0, dead: 0, oldestMs: null };

export function added(one: Load, other: Load): Load {
  const ages = [one.oldestMs, other.oldestMs].filter((age) => age !== null);
  return {
    waiting: one.waiting + other.waiting,
    inHand: one.inHand + other.inHand,
    dead: one.dead + other.dead,
    oldestMs: ages.length === 0 ? null : Math.max(...ages),
  };
}

/** A reader's line and a schedule's next time are jobs that are always there. */
function deadOnly({ dead }: Load): Load {
  return { ...NO_LOAD, dead };
}

function isEmpty({ waiting, inHand, dead }: Load): boolean {
  return waiting + inHand + dead === 0;
}

/** By the store's queue, lanes together. What lies in an old generation of a queue is nobody's. */
function loadsOf(depths: readonly QueueDepth[], atMs: number): ReadonlyMap<string, Load> {
  const loads = new Map<string, Load>();
  for (const { queue, waiting, ready, held, parked, dead, oldestReadyMs } of depths) {
    const oldestMs = oldestReadyMs === null ? null : Math.max(0, atMs - oldestReadyMs);
    const load: Load = { waiting: waiting + ready + parked, inHand: held, dead, oldestMs };
    loads.set(queue, added(loads.get(queue) ?? NO_LOAD, load));
  }
  return loads;
}

function pairOf(from: string, to: string): string {
  return JSON.stringify([from, to]);
}

function isFunction(arn: string): boolean {
  return parseArn(arn)?.kind === "function";
}

/** Of an address only the part that cannot be a secret. */
function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : "?";
}
