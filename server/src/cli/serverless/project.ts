import { GITIGNORE, packageJson, TSCONFIG } from "#cli/init/project-files.ts";
import { comment, literal, propertyName } from "#cli/serverless/code.ts";
import type { Plan, PlannedCollection, PlannedFunction, PlannedSetting } from "#cli/serverless/plan.ts";
import { stub } from "#cli/serverless/stub.ts";
import type { Json } from "#domain/json.ts";

export type ProjectWishes = {
  readonly name: string;
  /** Of the package `tidings`. */
  readonly dependency: string;
  /** The imported file's name, for whoever reads what was made of it. */
  readonly source: string;
};

/** A project that a plan makes, as it is written: path by path. */
export function importedFiles(
  plan: Plan,
  { name, dependency, source }: ProjectWishes,
): readonly (readonly [path: string, text: string])[] {
  const { functions, queues, collections, rules } = plan;
  const apply = [
    ...(queues.length > 0 ? ["tidings queues apply queues.json"] : []),
    ...(rules.length > 0 ? ["tidings rules apply rules"] : []),
  ].join(" && ");
  return [
    ...functions.map((one) => [`functions/${one.path}.ts`, stub(one, source)] as const),
    ...(functions.length === 0 ? [] : [["functions/triggers.test.ts", triggersTest(functions)] as const]),
    ...(collections.length === 0 ? [] : [["functions/_collections.ts", collectionsFile(collections)] as const]),
    ...(queues.length === 0
      ? []
      : [["queues.json", pretty(queues.map((queue) => ({ name: queue.name, ...queue.body })))] as const]),
    ...rules.map((rule) => [`rules/${rule.name}.json`, pretty(rule.rule)] as const),
    ["tidings.config.ts", configFile(plan)],
    ["package.json", packageJson(name, dependency, apply === "" ? {} : { apply })],
    ["tsconfig.json", TSCONFIG],
    ["README.md", readme(plan, name, source, apply !== "")],
    [".gitignore", GITIGNORE],
  ];
}

function pretty(json: Json): string {
  return `${JSON.stringify(json, null, 2)}\n`;
}

function triggersTest(functions: readonly PlannedFunction[]): string {
  const imports = functions.map(({ path }, place) => `import f${place + 1} from ${JSON.stringify(`./${path}.ts`)};\n`);
  const rows = functions.map(({ on }, place) => `    [f${place + 1}, ${literal(on, 4)}],\n`);
  return `import assert from "node:assert/strict";
import { test } from "node:test";
${imports.join("")}
test("what starts each function is what was imported", () => {
  const wanted = [
${rows.join("")}  ] as const;
  for (const [made, spec] of wanted) assert.deepEqual(made.on.spec, spec);
});
`;
}

function collectionsFile(collections: readonly PlannedCollection[]): string {
  const parts = collections.map(({ identifier, name, fields, indexes, id }) => {
    const type = `${identifier.slice(0, 1).toUpperCase()}${identifier.slice(1)}`;
    const members = fields.map((field) => `  readonly ${propertyName(field.name)}: ${field.type};\n`);
    const options = indexes.length === 0 ? "" : `, ${literal({ indexes })}`;
    return `/** A document's id: ${comment(id)}. */
export type ${type} = {
${members.join("")}  readonly [field: string]: unknown;
};
export const ${identifier} = collection<${type}>(${JSON.stringify(name)}${options});
`;
  });
  return `import { collection } from "tidings";\n\n${parts.join("\n")}`;
}

function configFile({ settings }: Plan): string {
  const open = [...settings].filter(([, { kind }]) => kind !== "secret");
  const secret = [...settings].filter(([, { kind }]) => kind === "secret");
  const needsEnv = [...settings.values()].some(({ kind }) => kind !== "value");
  const member = ([name, setting]: readonly [string, PlannedSetting]): string =>
    `      ${propertyName(name)}: ${valueOf(setting)},\n`;
  const block = (name: string, members: typeof open): string =>
    members.length === 0 ? "" : `    ${name}: {\n${members.map(member).join("")}    },\n`;
  const missing = needsEnv
    ? '    // env("NAME") without a second value refuses to start when the variable is not set.\n'
    : "";
  return `import { defineConfig${needsEnv ? ", env" : ""} } from "tidings";

export default defineConfig({
  functions: {
    folder: "functions",
${missing}${block("settings", open)}${block("secrets", secret)}  },
});
`;
}

function valueOf(setting: PlannedSetting): string {
  switch (setting.kind) {
    case "value":
      return literal(setting.value, 6);
    case "env":
      return `env(${JSON.stringify(setting.variable)}, ${JSON.stringify(setting.otherwise)})`;
    case "secret":
      return `env(${JSON.stringify(setting.variable)}, "")`;
  }
}

function readme(
  { gaps, functions, queues, collections }: Plan,
  name: string,
  source: string,
  hasApply: boolean,
): string {
  const [http] = functions.flatMap(({ on }) => (on.kind === "http" ? [on] : []));
  const [queue] = queues;
  const tries = [
    ...(http === undefined
      ? []
      : [
          `curl -sS -X ${http.method} http://127.0.0.1:3300${http.path.replaceAll(":", "")} -H "content-type: application/json" -d '{}'`,
        ]),
    ...(queue === undefined || queue.name.endsWith(".fifo")
      ? []
      : [`npx tidings queues send ${queue.name} '{"hello": "world"}'`]),
    "npx tidings functions",
    "npx tidings topology",
  ];
  const missed =
    gaps.length === 0
      ? ""
      : `\n## What was not taken over\n\n${gaps.map(({ line, says }) => `- ${source}:${line}: ${comment(says)}\n`).join("")}`;
  return `# ${name}

Made of ${source} by \`tidings import\`: what starts each function is there, what it does is to be written. Until then a path
answers 501, and what comes by queues, events and files is tried again and kept as a dead letter; \`npx tidings dlq\` shows it.

\`\`\`sh
npm install
npm test
npm run dev
\`\`\`

In a second terminal${hasApply ? ", `npm run apply` sets the queues and rules; then" : ""}:

\`\`\`sh
${tries.join("\n")}
\`\`\`

Write a handler, save it, and it runs.${collections.length === 0 ? "" : " Tables are documents now, declared in `functions/_collections.ts`."}
${missed}`;
}
