import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";

/*
 * Loaded before a test file (`--import`): counts how many properties it checks, and with how many generated values. The
 * numbers are written to `PROOF_COUNTS`, a file for each process, when the process ends.
 */
const counts = { file: process.argv[1] ?? "", properties: 0, values: 0 };

fc.configureGlobal({
  reporter(out) {
    counts.properties += 1;
    counts.values += out.numRuns;
    if (out.failed) throw new Error(fc.defaultReportMessage(out));
  },
});

const folder = process.env["PROOF_COUNTS"];
process.on("exit", () => {
  if (folder !== undefined && counts.properties > 0)
    writeFileSync(join(folder, `${process.pid}.json`), JSON.stringify(counts));
});
