import type { Command } from "commander";
import { EXIT, type Exit } from "#cli/exit.ts";
import { loadSettings, withSettings } from "#cli/load-settings.ts";
import { acting, command, examples, type Options, withJson } from "#cli/options.ts";
import { table } from "#cli/output.ts";
import { clean } from "#cli/text.ts";
import { say, sayJson, type World } from "#cli/world.ts";
import { settingNames } from "#config/settings.ts";
import { SETTINGS, type SettingName } from "#config/table.ts";

export function settingsCommand(world: World, answer: (exit: Exit) => void): Command {
  const built = command(
    world,
    "tidings settings",
    "Show every setting as `start` would read it here, and where its value comes from. Secrets are not shown.",
  )
    .option("--markdown", "print docs/settings.md")
    .addHelpText("after", examples(["tidings settings --json | jq .port", "one value, for a script"]));
  return acting(withJson(withSettings(built, "usual")), world, answer, run);
}

async function run(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  if (options.flag("markdown")) {
    const { renderSettingsMarkdown } = await import("#config/render-settings.ts");
    world.out.write(renderSettingsMarkdown());
    return EXIT.ok;
  }
  const { settings, notes, file, flags } = await loadSettings(world, options);
  const shown = (name: SettingName): unknown =>
    SETTINGS[name].secret && settings[name] !== null ? "(secret)" : settings[name];
  if (options.flag("json")) {
    sayJson(world, Object.fromEntries(settingNames().map((name) => [name, shown(name)])));
    return EXIT.ok;
  }
  const rows = settingNames().map((name) => {
    const row = SETTINGS[name];
    const flag = name in flags;
    const from =
      (world.env[row.env] ?? "") !== "" ? "environment" : flag ? "flag" : name in file ? "tidings.config" : "";
    const value = shown(name);
    const absent = "absent" in row ? row.absent.replaceAll("`", "") : "";
    return [
      row.env,
      value === null ? { text: absent, style: "dim" as const } : clean(String(value)),
      { text: from, style: "cyan" as const },
    ];
  });
  const columns = [{ title: "variable" }, { title: "value", cut: "end" as const, min: 20 }, { title: "from" }];
  for (const line of table(world.out, columns, rows)) say(world.out, line);
  for (const note of notes) say(world.err, `! ${note}`);
  return EXIT.ok;
}
