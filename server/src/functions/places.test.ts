import assert from "node:assert/strict";
import { test } from "node:test";
import { Places } from "#functions/places.ts";

/** Work that ends when it is told to. */
class Works {
  readonly places: Places;
  readonly begun: string[] = [];
  readonly #open = new Map<string, PromiseWithResolvers<void>>();

  constructor(max: number) {
    this.places = new Places(max);
  }

  begin(name: string): Promise<string> {
    const open = Promise.withResolvers<void>();
    this.#open.set(name, open);
    return this.places.run(async () => {
      this.begun.push(name);
      await open.promise;
      return name;
    });
  }

  async end(name: string, thrown?: Error): Promise<void> {
    const open = this.#open.get(name);
    if (thrown === undefined) open?.resolve();
    else open?.reject(thrown);
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  }
}

test("no more than so many run at once, and those that wait come in their order", async () => {
  const works = new Works(2);
  const all = ["a", "b", "c", "d"].map((name) => works.begin(name));
  assert.deepEqual(works.begun, ["a", "b"]);
  await works.end("b");
  assert.deepEqual(works.begun, ["a", "b", "c"]);
  assert.equal(works.places.underWay, 2);
  for (const name of ["a", "c", "d"]) await works.end(name);
  assert.deepEqual(await Promise.all(all), ["a", "b", "c", "d"]);
  assert.equal(works.places.underWay, 0);
});

test("work that throws leaves its place to the next", async () => {
  const works = new Works(1);
  const first = works.begin("a");
  void works.begin("b");
  const failed = assert.rejects(first, /no/);
  await works.end("a", new Error("no"));
  await failed;
  assert.deepEqual(works.begun, ["a", "b"]);
});

test("more places are taken at once; with fewer, those that run end and no other begins before there is room", async () => {
  const works = new Works(1);
  for (const name of ["a", "b", "c", "d", "e"]) void works.begin(name);
  works.places.resize(3);
  await works.end("nobody");
  assert.deepEqual(works.begun, ["a", "b", "c"]);
  works.places.resize(1);
  await works.end("a");
  await works.end("b");
  assert.deepEqual(works.begun, ["a", "b", "c"]);
  assert.equal(works.places.underWay, 1);
  await works.end("c");
  assert.deepEqual(works.begun, ["a", "b", "c", "d"]);
});
