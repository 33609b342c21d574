import { settingNames } from "#config/settings.ts";
import { SETTINGS } from "#config/table.ts";

const INTRODUCTION = `# Settings

Read once, at start. Each place overrules the one before:

1. \`tidings.config.ts\` in the folder where the program is started: \`export const config = { port: 3300 }\`, with the
   names of the last column;
2. flags: \`tidings start --port 3300\`;
3. the environment: \`PORT=3300 tidings start\`.

A wrong setting stops the program; every mistake is named at once. An empty variable counts as absent. Durations have
a unit: \`90s\`, \`15m\`, \`12h\`, \`30d\`. Secrets (🔒) have no flag, because flags can be read by every user of the machine;
their value may be \`file:PATH\`, which is how Docker and Kubernetes hand secrets out.

This page is made from \`server/src/config/table.ts\`, and a test compares the two. To write it anew:
\`npm run tidings -- settings --markdown > docs/settings.md\`.
`;

/** `docs/settings.md`, whole. */
export function renderSettingsMarkdown(): string {
  const groups = Map.groupBy(settingNames(), (name) => SETTINGS[name].group);
  const sections = Array.from(groups, ([group, names]) => {
    const rows = names.map((name) => {
      const row = SETTINGS[name];
      const absent = "absent" in row ? row.absent : "";
      const usual = row.default === null ? absent : `\`${row.default}\``;
      const flag = row.secret ? "🔒" : `\`--${row.flag}\``;
      const cells = [
        `\`${row.env}\``,
        flag,
        row.kind.says,
        usual,
        `${capital(row.summary)}. ${row.reason}`,
        `\`${name}\``,
      ];
      return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
    });
    return [
      `## ${group}`,
      "",
      "| variable | flag | form | default | meaning | in the file |",
      "| --- | --- | --- | --- | --- | --- |",
    ]
      .concat(rows)
      .join("\n");
  });
  return `${[INTRODUCTION, ...sections].join("\n")}\n`.replaceAll(/\n(## )/g, "\n\n$1").replaceAll(/\n{3,}/g, "\n\n");
}

function capital(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
