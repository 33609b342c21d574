import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Command } from "commander";
import { EXIT, type Exit } from "#cli/exit.ts";
import { command, examples } from "#cli/options.ts";
import type { World } from "#cli/world.ts";

/** `node --test` by the Node that we run on: that of the machine may be too old for TypeScript. */
export function testCommand(world: World, answer: (exit: Exit) => void): Command {
  return command(
    world,
    "tidings test",
    "Run the tests of a project, *.test.ts, by Node's own test runner. What stands behind `--` is given to that.",
  )
    .argument("[files...]", "only these")
    .allowUnknownOption()
    .addHelpText(
      "after",
      examples(
        ["tidings test", "all tests"],
        ["tidings test functions/hello.test.ts -- --watch", "one, again when it changes"],
      ),
    )
    .action(async (files: readonly string[]) => {
      answer(await run(world, files));
    });
}

async function run(world: World, files: readonly string[]): Promise<Exit> {
  const child = spawn(process.execPath, ["--test", ...files], { cwd: world.cwd, env: world.env, stdio: "inherit" });
  const stop = (): void => void child.kill();
  world.signal.addEventListener("abort", stop, { once: true });
  const [code] = await once(child, "exit");
  world.signal.removeEventListener("abort", stop);
  return code === 0 ? EXIT.ok : EXIT.no;
}
