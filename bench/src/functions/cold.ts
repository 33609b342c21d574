import { Caller } from "../caller.ts";
import { type Spread, spread, steadyMs } from "../measure.ts";
import { msOf } from "../terminal.ts";
import { KEY } from "../tidings.ts";
import { type House } from "../doors/house.ts";
import { houseOf, httpFunctions, makeProject, pathOf } from "./projects.ts";

/** From just before the POST to the first line of the handler: the first call of a function, and the one after it. */
export type Cold = { readonly functions: number; readonly firstMs: Spread; readonly secondMs: Spread };

/** Each round a server that was just started; its functions are called one after the other. */
export async function measureCold(
  { functions, rounds }: { readonly functions: number; readonly rounds: number },
  say: (line: string) => void,
): Promise<Cold> {
  const [first, second]: [number[], number[]] = [[], []];
  const project = makeProject(httpFunctions(functions));
  for (let round = 1; round <= rounds; round++) {
    await using house = await houseOf(project);
    const caller = await Caller.open(house.place.port, house.place.host);
    for (let n = 0; n < functions; n++) first.push(await callFunction(house, caller, n));
    for (let n = 0; n < functions; n++) second.push(await callFunction(house, caller, n));
    caller.close();
    const took = { first: spread(first.slice(-functions)), second: spread(second.slice(-functions)) };
    say(`round ${round}/${rounds}: first call ${msOf(took.first)}, second ${msOf(took.second)}`);
  }
  return { functions, firstMs: spread(first), secondMs: spread(second) };
}

/** @returns how long it took until the function was begun. */
export async function callFunction({ place: { host, port } }: House, caller: Caller, n: number): Promise<number> {
  const head = [
    `POST ${pathOf(n)} HTTP/1.1`,
    ...[`host: ${host}:${port}`, `authorization: Bearer ${KEY}`, "content-type: application/json", "content-length: 2"],
  ];
  const sentMs = steadyMs();
  const { status, body } = await caller.call(`${head.join("\r\n")}\r\n\r\n{}`);
  if (status !== 200) throw new Error(`POST ${pathOf(n)}: ${status} ${body}`);
  // `httpFunctions` answers so.
  return (JSON.parse(body) as { atMs: number }).atMs - sentMs;
}
