import type { Engine } from "#engine/engine.ts";
import { errorText } from "#engine/error-text.ts";
import {
  isWorker,
  type NodeBody,
  type NodeSelf,
  type Nodes,
  NODES,
  type NodeView,
  nodePut,
  type Notice,
  readNodeBody,
} from "#engine/nodes.ts";
import { sleep } from "#engine/sleep.ts";
import type { DocumentKey } from "#domain/document.ts";
import type { Timer } from "#ports/clock.ts";

/** How often a node says that it lives and looks at the others. */
const BEAT_MS = 2_000;
/** How long a look at the others is good for; counted from before it, so one beat may be lost, or be slow. */
const VIEW_MS = 5_000;
/** How long a node that comes waits before it takes its share: longer than any look at the others from before is good. */
const JOIN_MS = VIEW_MS + 1_000;
/** After so long without a sign, a node counts as dead: longer than it believes in its own share. */
const LAPSE_MS = 10_000;
/** The document of a dead node goes after this; until then it is shown, and its turns are known. */
const FORGET_MS = 600_000;
/** News do not wait for the next beat, but for each other. */
const NEWS_GAP_MS = 100;
/** More than anybody has; the look stays one page. */
const NODES_MAX = 1_000;
/** Newest kept: a document stays some tens of KB however many destinations rest. */
const NOTICES_MAX = 200;

/**
 * Knows the other nodes of a store by a document that each keeps putting.
 *
 *     away ──beat──▶ joining ──JOIN_MS, or alone──▶ has its share ──no look for VIEW_MS──▶ has none
 *                       ▲                                                                    │
 *                       └────────── no sign of it for LAPSE_MS, the others have it ──────────┤
 *                                   in time ──▶ has its share ◀──────────────────────────────┘
 *
 * Whether another node lives is seen by its document changing, on our own monotonic clock: nobody's wall clock matters.
 * A node that has its share has been in the store for longer than any look is good for, so whoever has a share counts
 * it; and it is counted until after it has stopped believing in its own look. So the parts never sum up to more than 1.
 */
export class SharedNodes implements Nodes {
  readonly self: NodeSelf;
  readonly #engine: Engine;
  readonly #startedMs: number;
  readonly #seen = new Map<string, Seen>();
  #workers = 1;
  #leads = false;
  readonly #own = new Map<string, Omit<Notice, "node">>();
  #theirs: ReadonlyMap<string, readonly Notice[]> = new Map();
  #theirsText = "[]";
  readonly #listeners: (() => void)[] = [];
  /** When the last whole beat began, monotonic. */
  #beatMs = Number.NEGATIVE_INFINITY;
  #shareFromMs = Number.POSITIVE_INFINITY;
  #beating: Promise<void> = Promise.resolve();
  /** Aborted when the next beat is to come at once. */
  #pause = new AbortController();
  #newsTimer: Timer | null = null;

  constructor(engine: Engine, self: NodeSelf) {
    this.self = self;
    this.#engine = engine;
    this.#startedMs = engine.parts.clock.nowMs();
  }

  get workers(): number {
    return this.#workers;
  }

  get share(): number {
    const nowMs = this.#monotonicMs();
    return nowMs >= this.#shareFromMs && nowMs - this.#beatMs < VIEW_MS ? 1 / this.#workers : 0;
  }

  get leads(): boolean {
    return this.#leads && this.#monotonicMs() - this.#beatMs < VIEW_MS;
  }

  list(): readonly NodeView[] {
    return [...this.#seen]
      .map(
        ([
          id,
          {
            isLive,
            body: { role, version, startedMs, seenMs },
          },
        ]) => {
          return { id, role, version, startedMs, seenMs, isLive, isSelf: id === this.self.id };
        },
      )
      .toSorted((one, other) => one.startedMs - other.startedMs);
  }

  post(topic: string, untilMs: number, says: string): void {
    this.#own.delete(topic);
    this.#own.set(topic, { untilMs, says });
    for (const oldest of this.#own.keys()) {
      if (this.#own.size <= NOTICES_MAX) break;
      this.#own.delete(oldest);
    }
    this.#beatSoon();
  }

  takeBack(topic: string): void {
    if (this.#own.delete(topic)) this.#beatSoon();
  }

  noticesOf(topic: string): readonly Notice[] {
    return this.#theirs.get(topic) ?? NOTHING;
  }

  onNews(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Says that it is there and looks who else is; then goes on doing so until the engine stops. */
  async join(): Promise<void> {
    const { signal } = this.#engine;
    signal.addEventListener("abort", () => this.#pause.abort(), { once: true });
    await this.#beat();
    this.#beating = this.#beatAlways();
  }

  /** When the engine has stopped: the others need not wait for its share until it lapses. */
  async leave(): Promise<void> {
    this.#newsTimer?.cancel();
    await this.#beating;
    const { store, log } = this.#engine.parts;
    try {
      // The engine takes no drafts any more, and nothing depends on this one.
      await store.commit([{ deletes: [{ collection: NODES, id: this.self.id }] }]);
    } catch (fault) {
      log.warn("This node could not say that it goes; the others see it in a few seconds", { error: errorText(fault) });
    }
  }

  async #beatAlways(): Promise<void> {
    const { clock, log } = this.#engine.parts;
    const { signal } = this.#engine;
    let pause = this.#pause;
    for (;;) {
      await sleep(clock, BEAT_MS, pause.signal);
      if (signal.aborted) return;
      // News that come during a beat end the pause behind it.
      pause = this.#pause = new AbortController();
      try {
        await this.#beat();
      } catch (fault) {
        log.warn("This node could not look at the others; the next beat will", { error: errorText(fault) });
      }
      if (signal.aborted) return;
    }
  }

  #beatSoon(): void {
    this.#newsTimer ??= this.#engine.parts.clock.after(NEWS_GAP_MS, () => {
      this.#newsTimer = null;
      this.#pause.abort();
    });
  }

  async #beat(): Promise<void> {
    const beganMs = this.#monotonicMs();
    await this.#engine.commit({ puts: [nodePut(this.self.id, this.#body())], deletes: this.#longDead() });
    const saidMs = this.#monotonicMs();
    // The others may have shared its part out meanwhile: it comes anew.
    const isNew = saidMs - this.#beatMs >= LAPSE_MS;
    if (isNew) this.#shareFromMs = saidMs + JOIN_MS;
    await this.#look();
    if (isNew && this.#isAlone()) this.#shareFromMs = saidMs;
    this.#beatMs = beganMs;
  }

  #body(): NodeBody {
    const nowMs = this.#engine.parts.clock.nowMs();
    for (const [topic, { untilMs }] of this.#own) if (untilMs + LAPSE_MS < nowMs) this.#own.delete(topic);
    const { role, version } = this.self;
    const notices = Object.fromEntries(this.#own);
    return { role, version, startedMs: this.#startedMs, seenMs: nowMs, turns: this.#engine.turns(), notices };
  }

  /** Who lives is decided when we look, and holds until the next look, or until this one is good for nothing. */
  async #look(): Promise<void> {
    const beforeMs = this.#monotonicMs();
    const documents = await this.#engine.parts.store.listDocuments({ collection: NODES, limit: NODES_MAX });
    const nowMs = this.#monotonicMs();
    const there = new Set<string>();
    for (const { id, body, version, updatedMs } of documents) {
      there.add(id);
      const sign = `${version} ${updatedMs}`;
      const before = this.#seen.get(id);
      if (before?.sign === sign) before.isLive = beforeMs - before.changedMs < LAPSE_MS;
      else this.#seen.set(id, { sign, body: readNodeBody(body), changedMs: nowMs, isLive: true });
    }
    for (const [id, { body }] of this.#seen) {
      if (!there.has(id)) this.#seen.delete(id);
      else if (id !== this.self.id) this.#engine.learnTurns(body.turns);
    }
    const live = [...this.#seen].filter(([, { isLive }]) => isLive);
    this.#workers = Math.max(1, live.filter(([, { body }]) => isWorker(body)).length);
    this.#leads = live.map(([id, { body }]) => rank(id, body)).toSorted()[0] === rank(this.self.id, this.self);
    this.#readNotices(live);
  }

  #readNotices(live: readonly (readonly [string, Seen])[]): void {
    const theirs = new Map<string, Notice[]>();
    for (const [node, { body }] of live) {
      if (node === this.self.id) continue;
      for (const [topic, notice] of Object.entries(body.notices)) {
        const notices = theirs.get(topic) ?? [];
        notices.push({ ...notice, node });
        theirs.set(topic, notices);
      }
    }
    const text = JSON.stringify([...theirs]);
    if (text === this.#theirsText) return;
    this.#theirsText = text;
    this.#theirs = theirs;
    for (const listener of this.#listeners) listener();
  }

  #longDead(): readonly DocumentKey[] {
    if (!this.leads) return [];
    const beforeMs = this.#monotonicMs() - FORGET_MS;
    return [...this.#seen].flatMap(([id, { changedMs }]) => (changedMs < beforeMs ? [{ collection: NODES, id }] : []));
  }

  #isAlone(): boolean {
    for (const [id, { body }] of this.#seen) if (id !== this.self.id && isWorker(body)) return false;
    return true;
  }

  #monotonicMs(): number {
    return this.#engine.parts.clock.monotonicMs();
  }
}

const NOTHING: readonly Notice[] = [];

/** Workers before others, then by id: whoever is first leads. */
function rank(id: string, body: Pick<NodeBody, "role">): string {
  return `${isWorker(body) ? 0 : 1} ${id}`;
}

/** What tells one beat from the next, and when we first saw the last one, monotonic. */
type Seen = { readonly sign: string; readonly body: NodeBody; readonly changedMs: number; isLive: boolean };
