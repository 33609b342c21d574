import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Json } from "tidings";
import { scriptFile, workFolder } from "../children.ts";
import { House } from "../doors/house.ts";

/** Folders as users have them: `tidings.config.ts` and `functions/`. */
export type Project = { readonly folder: string };

/** @param files by name, without the ending. */
export function makeProject(
  files: Readonly<Record<string, string>>,
  settings: Readonly<Record<string, Json>> = {},
): Project {
  // Node reads no TypeScript below `node_modules`, where this run keeps its data.
  const folder = workFolder(tmpdir());
  mkdirSync(join(folder, "functions"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, "functions", `${name}.ts`), text);
  writeFileSync(
    join(folder, "tidings.config.ts"),
    `import { defineConfig } from "tidings";\n\nexport default defineConfig({ functions: { settings: ${JSON.stringify(settings)} } });\n`,
  );
  return { folder };
}

/** The text of a file that exports what a module of ours makes. */
export function fileOf(module: string, name: string, argument: Json): string {
  const url = pathToFileURL(scriptFile(`functions/${module}`)).href;
  return `import { ${name} } from "${url}";\n\nexport default ${name}(${JSON.stringify(argument)});\n`;
}

/** Functions by HTTP, each with a file and a path of its own; they answer with the time at which they were begun. */
export function httpFunctions(count: number): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, n) => [
      `called-${n}`,
      `import { defineFunction, http } from "tidings";

export default defineFunction({
  on: http("POST", "${pathOf(n)}"),
  handler: () => {
    const [seconds, nanoseconds] = process.hrtime();
    return { body: { atMs: seconds * 1e3 + nanoseconds / 1e6 } };
  },
});
`,
    ]),
  );
}

export function pathOf(n: number): string {
  return `/api/called/${n}`;
}

/** Tidings as people run it in this folder; its data lies elsewhere, on the repository's disk. */
export async function houseOf(
  { folder }: Project,
  options: { readonly nodeArgs?: readonly string[]; readonly dataDir?: string } = {},
): Promise<House> {
  const { nodeArgs = [], ...rest } = options;
  return await House.start({ ...rest, nodeArgs: [scriptFile("functions/in-folder.ts"), folder, ...nodeArgs] });
}
