import type { Engine } from "#engine/engine.ts";
import type { Nodes } from "#engine/nodes.ts";
import type { DeadlineDefaults } from "#domain/deadline.ts";
import { type Accept, Accepter, type DraftSend } from "#pipeline/accept.ts";
import { Desk } from "#pipeline/desk.ts";
import { expandStage } from "#pipeline/expand.ts";
import { HeldDesk } from "#pipeline/held-desk.ts";
import { LastLook } from "#pipeline/last-look.ts";
import type { MessageDesk } from "#pipeline/message-desk.ts";
import { messageStage } from "#pipeline/message-stage.ts";
import { Plans } from "#pipeline/plan.ts";
import { Providers } from "#pipeline/providers.ts";
import { Rests } from "#pipeline/rests.ts";
import { Revocations } from "#pipeline/revocations.ts";
import { Tally } from "#pipeline/tally.ts";
import type { BlobStore } from "#ports/blob-store.ts";
import type { Provider } from "#ports/provider.ts";
import type { Secrets } from "#ports/secrets.ts";

export type PipelineParts = {
  readonly engine: Engine;
  readonly blobs: BlobStore;
  readonly secrets: Secrets;
  /** In order of priority; the first that can carry a channel is tried first. */
  readonly providers: readonly Provider[];
  /** Under which the one-click endpoint is reached from mails, without a slash at the end. */
  readonly publicUrl: () => string;
  readonly onUnknown: "retry" | "hold";
  readonly deadlines: DeadlineDefaults;
  readonly nodes: Nodes;
};

export type Pipeline = { readonly accept: Accept & DraftSend; readonly desk: MessageDesk; readonly held: HeldDesk };

/** Joins the stages on an engine that has not started yet. */
export function buildPipeline(parts: PipelineParts): Pipeline {
  const { engine, blobs, secrets, publicUrl, onUnknown, nodes } = parts;
  const { store, clock, dice, log, tracer } = engine.parts;
  const plans = new Plans(store, blobs);
  const rests = new Rests(nodes, clock);
  const lastLook = store.can.manyNodes ? new LastLook(store, clock) : null;
  const providers = new Providers(parts.providers, { clock, dice, log, signal: engine.signal, nodes, rests, lastLook });
  const revocations = new Revocations();
  const tally = new Tally(engine.parts.meter);
  engine.onCommitted((draft) => revocations.committed(draft));
  const messages = engine.addStage(
    messageStage({ store, clock, dice, plans, providers, revocations, tally, secrets, publicUrl, onUnknown, tracer }),
  );
  const fanOuts = engine.addStage(expandStage({ engine, plans, secrets, messages }));
  return {
    accept: new Accepter(engine, blobs, { messages, fanOuts }, { tally, secrets, deadlines: parts.deadlines }),
    held: new HeldDesk(engine, plans),
    desk: new Desk({ engine, blobs, plans, providers, revocations, secrets, publicUrl }),
  };
}
