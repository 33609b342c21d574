import type { AwsFault } from "#doors/aws/fault.ts";
import { action, type AwsCall } from "#doors/aws/service.ts";
import { list, required, structure, text, whole } from "#doors/aws/shape.ts";
import { invalidParameter, noResource, numberFault, sqsFault } from "#doors/aws/sqs/faults.ts";
import { queueArn, queueOfArn } from "#doors/aws/sqs/place.ts";
import { readJson } from "#doors/http/json-text.ts";
import type { QueueFault } from "#queues/fault.ts";
import { type Move, MOVES_KEPT_MAX } from "#queues/move.ts";

const startMessageMoveTask = action({
  name: "StartMessageMoveTask",
  scope: "full",
  input: structure({ SourceArn: required(text), DestinationArn: text, MaxNumberOfMessagesPerSecond: whole }),
  output: structure({ TaskHandle: text }),
  run: async ({ SourceArn, DestinationArn, MaxNumberOfMessagesPerSecond }, call) => {
    const source = queueOfArn(SourceArn);
    if (source === null) return unknownResource("SourceArn");
    const destination = DestinationArn === undefined ? null : queueOfArn(DestinationArn);
    if (DestinationArn !== undefined && destination === null) return unknownResource("DestinationArn");
    const started = await call.house.queues.startMove(
      { source, destination, messagesPerSecondMax: MaxNumberOfMessagesPerSecond ?? null },
      call.traceparent,
    );
    if (started.kind === "done") return { TaskHandle: handleOf(started.move, call) };
    return moveFault(started, destination, call);
  },
});

const listMessageMoveTasks = action({
  name: "ListMessageMoveTasks",
  scope: "read",
  input: structure({ SourceArn: required(text), MaxResults: whole }),
  output: structure({
    Results: list(
      "ListMessageMoveTasksResultEntry",
      structure({
        TaskHandle: text,
        Status: text,
        SourceArn: text,
        DestinationArn: text,
        MaxNumberOfMessagesPerSecond: whole,
        ApproximateNumberOfMessagesMoved: whole,
        ApproximateNumberOfMessagesToMove: whole,
        FailureReason: text,
        StartedTimestamp: whole,
      }),
    ),
  }),
  run: async ({ SourceArn, MaxResults = 1 }, call) => {
    if (MaxResults < 1 || MaxResults > MOVES_KEPT_MAX) return numberFault("MaxResults", MaxResults, 1, MOVES_KEPT_MAX);
    const source = queueOfArn(SourceArn);
    if (source === null) return unknownResource("SourceArn");
    const found = await call.house.queues.listMoves(source, MaxResults);
    if (found.kind === "fault") return moveFault(found, null, call);
    return found.moves.length === 0 ? {} : { Results: found.moves.map((move) => resultOf(move, call)) };
  },
});

const cancelMessageMoveTask = action({
  name: "CancelMessageMoveTask",
  scope: "full",
  input: structure({ TaskHandle: required(text) }),
  output: structure({ ApproximateNumberOfMessagesMoved: whole }),
  run: async ({ TaskHandle }, call) => {
    const id = taskOf(TaskHandle);
    if (id === null) return invalidParameter("Value for parameter TaskHandle is invalid.");
    const cancelled = await call.house.queues.cancelMove(id, call.traceparent);
    if (cancelled.kind === "fault") return sqsFault(cancelled, call);
    return { ApproximateNumberOfMessagesMoved: cancelled.move.moved };
  },
});

export const MOVE_ACTIONS = [startMessageMoveTask, listMessageMoveTasks, cancelMessageMoveTask];

const STATUS = {
  running: "RUNNING",
  cancelling: "CANCELLING",
  cancelled: "CANCELLED",
  completed: "COMPLETED",
  failed: "FAILED",
} as const satisfies Record<Move["status"], string>;

function resultOf(move: Move, call: AwsCall) {
  const { destination } = move;
  return {
    // Nothing else than a running task can be cancelled, so no other is given a handle.
    TaskHandle: move.status === "running" ? handleOf(move, call) : undefined,
    Status: STATUS[move.status],
    SourceArn: queueArn(move.source, call.region),
    DestinationArn: destination === null ? undefined : queueArn(destination, call.region),
    MaxNumberOfMessagesPerSecond: move.messagesPerSecondMax ?? undefined,
    ApproximateNumberOfMessagesMoved: move.moved,
    ApproximateNumberOfMessagesToMove: move.toMove,
    FailureReason: move.failure ?? undefined,
    StartedTimestamp: move.startedMs,
  };
}

/** A queue that a move names and that is not there is another fault than one that a message is sent to. */
function moveFault(fault: QueueFault, destination: string | null, call: AwsCall): AwsFault {
  if (fault.code !== "queue.unknown") return sqsFault(fault, call);
  return unknownResource(fault.queue === destination ? "DestinationArn" : "SourceArn");
}

function unknownResource(parameter: string): AwsFault {
  return noResource(`The resource that you specified for the ${parameter} parameter doesn't exist.`);
}

function handleOf({ id, source }: Move, { region }: AwsCall): string {
  return Buffer.from(JSON.stringify({ taskId: id, sourceArn: queueArn(source, region) })).toString("base64");
}

/** Null: the handle is not one of ours. */
function taskOf(handle: string): string | null {
  const json = readJson(Buffer.from(handle, "base64").toString("utf8"));
  if (!json.ok || typeof json.value !== "object" || json.value === null || !("taskId" in json.value)) return null;
  const { taskId } = json.value;
  return typeof taskId === "string" && taskId !== "" ? taskId : null;
}
