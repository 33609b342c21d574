import { enableCompileCache } from "node:module";

// The program; bin/tidings.cjs comes here. What was compiled once is not compiled again, in the store's threads neither:
// that halves the time and the memory of a start, so it comes before everything else.
enableCompileCache();
const [{ openWorld }, { runCli }] = await Promise.all([import("#cli/process-world.ts"), import("#cli/run.ts")]);
process.exitCode = await runCli(openWorld(), process.argv.slice(2));
