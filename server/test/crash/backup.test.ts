import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { makeBackup } from "#app/backup.ts";
import { finishRestore, restoreBackup } from "#app/restore.ts";
import { birth, job, message, messageIdOf, request } from "#conformance/store-world.ts";
import { OperatorFault } from "#domain/faults.ts";
import { openFsBlobStore } from "#drivers/fs/blob-store.ts";
import { openSqliteStore } from "#drivers/sqlite/open.ts";
import { systemClock } from "#drivers/system/clock.ts";
import { Home } from "../support/program.ts";

/**
 * `tidings backup` and `tidings restore`, killed with SIGKILL at moments spread over all that they do: a backup is whole
 * or not there, a restore has happened or has not.
 */

const folder = mkdtempSync(join(tmpdir(), "tidings-killed-"));
const home = new Home();
const clock = systemClock();
const source = join(folder, "source");
const KILLS = 6;
const MESSAGES = 2_000;
const BLOBS = 40;

before(async () => {
  await using store = await openSqliteStore({ path: join(source, "tidings.db"), clock, layout: "inline" });
  await using blobs = await openFsBlobStore({ dir: join(source, "blobs"), clock });
  const ids = Array.from({ length: BLOBS }, (_, n) => `blob-${n}`);
  await Promise.all(ids.map((id) => blobs.put(id, Buffer.alloc(200_000, id))));
  const numbers = Array.from({ length: MESSAGES }, (_, n) => n);
  await store.commit([
    {
      requests: numbers.map((n) => request(n, { body: `{"text":"${"x".repeat(2_000)}"}` })),
      messages: numbers.map((n) => birth(message(n), job(messageIdOf(n), { dueMs: clock.nowMs() + 3_600_000 }))),
      blobs: ids.map((id) => ({ id, bytes: 200_000, owner: "x" })),
    },
  ]);
});
after(async () => {
  await home[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** Runs it once to its end, then again and again, killed ever later; `look` sees what is there after each. */
async function killed(argvOf: (place: string) => readonly string[], look: (place: string, died: boolean) => unknown) {
  const place = (n: number): string => {
    const path = join(folder, `${argvOf("")[0]}-${n}`);
    mkdirSync(path);
    return path;
  };
  const whole = place(0);
  const startMs = performance.now();
  const { code, err } = await home.run(argvOf(whole));
  const tookMs = performance.now() - startMs;
  assert.deepEqual({ code, err }, { code: 0, err: "" });
  await look(whole, false);
  let deaths = 0;
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const at = place(kill);
    const { child, ended } = home.begin(argvOf(at));
    await wait((tookMs * kill) / KILLS);
    child.kill("SIGKILL");
    const died = (await ended).signal === "SIGKILL";
    deaths += died ? 1 : 0;
    await look(at, died);
    rmSync(at, { recursive: true });
  }
  return deaths;
}

test(`a backup that is killed, ${KILLS} times, is whole or not there, and the next one clears away what is left`, async (t) => {
  let whole = 0;
  const deaths = await killed(
    (place) => ["backup", join(place, "b"), "--data-dir", source],
    async (place, died) => {
      const file = join(place, "b");
      assert.ok(died || existsSync(file));
      if (existsSync(file)) whole += 1;
      else await makeBackup({ dataDir: source, file, force: false, clock, step: () => {} });
      assert.deepEqual(readdirSync(place), ["b"]);
      const dataDir = join(place, "data");
      const { parked } = await restoreBackup({ dataDir, file, force: false, clock, step: () => {} });
      assert.equal(parked, MESSAGES);
      rmSync(dataDir, { recursive: true });
    },
  );
  t.diagnostic(`${deaths} of ${KILLS} killed, ${whole} files whole`);
  assert.ok(deaths > 0);
});

test(`a restore that is killed, ${KILLS} times, has happened or has not, and can be done again`, async (t) => {
  const file = join(folder, "backup");
  assert.equal((await home.run(["backup", file, "--data-dir", source])).code, 0);
  let whole = 0;
  const deaths = await killed(
    (place) => ["restore", file, "--data-dir", join(place, "data")],
    async (place) => {
      const dataDir = join(place, "data");
      const begun = existsSync(join(dataDir, "restoring"));
      const unfinished = await finishRestore(dataDir, clock).then(
        () => false,
        (error: unknown) => error instanceof OperatorFault && error.code === "restore.unfinished",
      );
      assert.equal(unfinished, begun, "a start makes no empty store beside what is left");
      if (existsSync(join(dataDir, "tidings.db"))) whole += 1;
      else await restoreBackup({ dataDir, file, force: false, clock, step: () => {} });
      await audit(dataDir);
    },
  );
  t.diagnostic(`${deaths} of ${KILLS} killed, ${whole} folders whole`);
  assert.ok(deaths > 0);
});

async function audit(dataDir: string): Promise<void> {
  assert.ok(!existsSync(join(dataDir, "restoring")) && !existsSync(join(dataDir, "restored")));
  await using store = await openSqliteStore({ path: join(dataDir, "tidings.db"), clock, layout: "inline" });
  await using blobs = await openFsBlobStore({ dir: join(dataDir, "blobs"), clock });
  assert.deepEqual(
    (await store.depths()).map(({ waiting, ready, held, parked }) => [waiting + ready + held, parked]),
    [[0, MESSAGES]],
  );
  assert.equal((await blobs.list(Number.MAX_SAFE_INTEGER, BLOBS + 1, null)).length, BLOBS);
  assert.ok(Buffer.from((await blobs.get("blob-7")) ?? []).equals(Buffer.alloc(200_000, "blob-7")));
}
