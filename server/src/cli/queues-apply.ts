import { openClient } from "#cli/access.ts";
import { type Client, segment } from "#cli/client.ts";
import { EXIT, type Exit, Refusal, UsageFault } from "#cli/exit.ts";
import { object, text } from "#cli/json.ts";
import type { Options } from "#cli/options.ts";
import { count, paint } from "#cli/output.ts";
import { readText } from "#cli/read-text.ts";
import { clean } from "#cli/text.ts";
import { say, sayJson, type World } from "#cli/world.ts";
import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";

type FileQueue = { readonly name: string; readonly body: JsonObject };

/**
 * `tidings queues apply`: makes the queues of a file and sets them as it says. First all that are missing, so that a queue
 * may name one behind it for its dead letters.
 */
export async function applyQueues(world: World, [file = ""]: readonly string[], options: Options): Promise<Exit> {
  const queues = queuesIn(file, await readText(world, file, "the file"));
  using client = await openClient(world, options);
  const made: string[] = [];
  for (const { name } of queues) if ((await put(client, file, { name, body: {} })).status === 201) made.push(name);
  for (const queue of queues) if (Object.keys(queue.body).length > 0) await put(client, file, queue);
  if (options.flag("json")) sayJson(world, { queues: queues.map(({ name }) => name), made });
  else {
    for (const name of made) say(world.out, `  ${paint(world.out, "green", "+")} ${clean(name)}`);
    say(world.out, `${count(queues.length, "queue")} as ${clean(file)} says, ${made.length} of them new.`);
  }
  return EXIT.ok;
}

async function put(client: Client, file: string, { name, body }: FileQueue) {
  try {
    return await client.call("PUT", `queues/${segment(name)}`, { body });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { status, code, hint, retryAfterMs } = error;
    throw new Refusal(status, `${file}, queue ${name}: ${error.message}`, { code, hint, retryAfterMs });
  }
}

function queuesIn(file: string, json: string): readonly FileQueue[] {
  let read: Json;
  try {
    // JSON.parse gives what JSON can say and nothing else.
    read = JSON.parse(json) as Json;
  } catch (error) {
    throw new UsageFault(`${file} is not JSON: ${error instanceof Error ? error.message : ""}`);
  }
  const queues = (Array.isArray(read) ? read : [read]).map((one: Json) => {
    const name = text(object(one), "name");
    if (!isJsonObject(one) || name === "") throw new UsageFault(`${file}: each queue is an object with a name`);
    const { name: _, ...body } = one;
    return { name, body };
  });
  const twice = queues.find(({ name }, place) => queues.findIndex((other) => other.name === name) !== place);
  if (twice !== undefined) throw new UsageFault(`${file}: the queue ${twice.name} is there twice`);
  return queues;
}
