import { happened, NO_ORIGIN, noChanges, unchanged, write } from "#engine/change.ts";
import type { Engine } from "#engine/engine.ts";
import { archiveOf, unknownArchive } from "#rules/archives.ts";
import { ARCHIVES, REPLAY_CANCELS, replayOf, REPLAYS } from "#rules/collections.ts";
import type { By, Done, Page, PageAsk, Replay, ReplayDesk, ReplayState } from "#rules/desk.ts";
import { changeOr, fault, Refusal } from "#rules/fault.ts";
import { descriptionFlaw, replayNameFlaw } from "#rules/names.ts";
import { pageOf } from "#rules/page.ts";
import { replayJob } from "#rules/replay-stage.ts";

/** Replays looked at for one page; where most do not fit, the page is short. */
const LOOKED_AT_MAX = 1_000;

/** Replays as documents; each has a job that works through the archive (`replay-stage.ts`). */
export class Replays implements ReplayDesk {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async start(
    wish: Pick<Replay, "name" | "archive" | "bus" | "description" | "rules" | "fromMs" | "untilMs">,
    by?: By,
  ): Promise<Done<Replay>> {
    const { name, archive: archiveName, bus, description, rules, fromMs, untilMs } = wish;
    const says = replayNameFlaw(name) ?? descriptionFlaw(description);
    if (says !== null) return fault("invalid", says);
    if (!(fromMs < untilMs)) return fault("invalid", BACKWARDS);
    const { store, clock } = this.#engine.parts;
    const [document = null, before = null] = await store.documents([
      { collection: ARCHIVES, id: archiveName },
      { collection: REPLAYS, id: name },
    ]);
    if (document === null) return unknownArchive(archiveName);
    const archive = archiveOf(document);
    if (archive.bus !== bus) return fault("invalid", CROSS_BUS);
    if (before !== null) return fault("exists", `Replay ${name} already exists.`);
    const nowMs = clock.nowMs();
    const replay: Replay = {
      name,
      archive: archiveName,
      bus,
      description,
      rules,
      fromMs,
      untilMs,
      state: "STARTING",
      stateReason: null,
      startedMs: nowMs,
      endedMs: null,
      lastEventMs: null,
      replayed: 0,
    };
    const origin = by?.origin ?? NO_ORIGIN;
    const key = { collection: REPLAYS, id: name };
    const verdict = await this.#engine.submit({
      expect: [unchanged(key, null)],
      puts: [{ ...key, body: JSON.stringify(replay), when: "always", nowMs }],
      jobs: [{ job: replayJob(name, archive, nowMs), hand: null }],
      events: [happened("replay.started", `replay:${name}`, { name, archive: archiveName, bus }, { nowMs, origin })],
      ...(origin.once === null ? {} : { once: origin.once }),
    });
    if (verdict.kind === "overloaded" || verdict.kind === "repeated") return verdict;
    return verdict.kind === "committed"
      ? { kind: "done", value: replay }
      : fault("exists", `Replay ${name} already exists.`);
  }

  async describe(name: string): Promise<Done<Replay>> {
    const [replay = null] = await this.#readAll([name]);
    return replay === null ? unknownReplay(name) : { kind: "done", value: replay };
  }

  async list(
    { archive, state }: { readonly archive: string | null; readonly state: ReplayState | null },
    { prefix, after, limit }: PageAsk,
  ): Promise<Page<Replay>> {
    const query = { collection: REPLAYS, prefix: prefix ?? "", after, limit: LOOKED_AT_MAX };
    const found = await this.#engine.parts.store.listDocuments(query);
    const looked = (await this.#readAll(found.map(({ id }) => id))).filter((one) => one !== null);
    const fits = looked.filter(
      (one) => (archive === null || one.archive === archive) && (state === null || one.state === state),
    );
    const page = pageOf(fits, limit, ({ name }) => name);
    const last = found.length < LOOKED_AT_MAX ? null : (found.at(-1)?.id ?? null);
    return { items: page.items, next: page.next ?? last };
  }

  /** The job sees it at its next step. */
  async cancel(name: string, by?: By): Promise<Done<Replay>> {
    return changeOr<Replay>(this.#engine, by, async () => {
      const [before = null] = await this.#readAll([name]);
      if (before === null) return { kind: "elsewhere", value: new Refusal(unknownReplay(name)) };
      if (before.state !== "STARTING" && before.state !== "RUNNING") {
        const says = `Replay ${name} is not in a valid state for this operation.`;
        return { kind: "elsewhere", value: new Refusal(fault("status", says)) };
      }
      const nowMs = this.#engine.parts.clock.nowMs();
      const changes = noChanges();
      changes.puts.push({ collection: REPLAY_CANCELS, id: name, body: "{}", when: "always", nowMs });
      return write(changes, { ...before, state: "CANCELLING" });
    });
  }

  async #readAll(names: readonly string[]): Promise<readonly (Replay | null)[]> {
    const documents = await this.#engine.parts.store.documents([
      ...names.map((id) => ({ collection: REPLAYS, id })),
      ...names.map((id) => ({ collection: REPLAY_CANCELS, id })),
    ]);
    return names.map((_, index) => {
      const document = documents[index] ?? null;
      return document === null ? null : seen(replayOf(document), documents[names.length + index] !== null);
    });
  }
}

/** As it is shown: one that runs and is to end is being cancelled. */
function seen(replay: Replay, isCancelled: boolean): Replay {
  const runs = replay.state === "STARTING" || replay.state === "RUNNING";
  return runs && isCancelled ? { ...replay, state: "CANCELLING" } : replay;
}

function unknownReplay(name: string) {
  return fault("unknown", `Replay ${name} does not exist.`);
}

const BACKWARDS = "Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.";
const CROSS_BUS = "Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted.";
