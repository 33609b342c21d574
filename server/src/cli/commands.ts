import { EXIT } from "#cli/exit.ts";
import type { CommandModule } from "#cli/options.ts";
import { paint } from "#cli/output.ts";
import type { Screen } from "#cli/world.ts";
import { closest } from "#config/closest.ts";

/** A command, known by name and line; the rest of it is loaded when it is called, so that help is there at once. */
type Entry = {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<CommandModule>;
};

const GROUPS: Readonly<Record<string, readonly Entry[]>> = {
  Serve: [
    {
      name: "start",
      summary: "serve every door and work the queues (the default)",
      load: async () => ({ build: (await import("#cli/commands/start.ts")).startCommand }),
    },
    {
      name: "dev",
      summary: "start with a fixed key and show what would have been sent",
      load: async () => ({ build: (await import("#cli/commands/dev.ts")).devCommand }),
    },
    {
      name: "init",
      summary: "make a project with a function, a test and a README",
      load: async () => ({ build: (await import("#cli/commands/init.ts")).initCommand }),
    },
    {
      name: "import",
      summary: "make a project of a serverless.yml",
      load: async () => ({ build: (await import("#cli/commands/import.ts")).importCommand }),
    },
    {
      name: "test",
      summary: "run the tests of a project",
      load: async () => ({ build: (await import("#cli/commands/test.ts")).testCommand }),
    },
    {
      name: "doctor",
      summary: "look for what is wrong with this installation",
      load: async () => ({ build: (await import("#cli/commands/doctor.ts")).doctorCommand }),
    },
    {
      name: "settings",
      summary: "show every setting and where its value comes from",
      load: async () => ({ build: (await import("#cli/commands/settings.ts")).settingsCommand }),
    },
  ],
  Send: [
    {
      name: "send",
      summary: "send a notification",
      load: async () => ({ build: (await import("#cli/commands/send.ts")).sendCommand }),
    },
    {
      name: "lists",
      summary: "import subscribers from a CSV file",
      load: async () => ({ build: (await import("#cli/commands/lists.ts")).listsCommand }),
    },
    {
      name: "queues",
      summary: "make queues for SQS clients, and redrive what failed",
      load: async () => ({ build: (await import("#cli/commands/queues.ts")).queuesCommand }),
    },
    {
      name: "events",
      summary: "raise an event",
      load: async () => ({ build: (await import("#cli/commands/events.ts")).eventsCommand }),
    },
    {
      name: "schemas",
      summary: "what events look like, and whether a change breaks somebody",
      load: async () => ({ build: (await import("#cli/commands/schemas.ts")).schemasCommand }),
    },
    {
      name: "rules",
      summary: "say which events are given to whom",
      load: async () => ({ build: (await import("#cli/commands/rules.ts")).rulesCommand }),
    },
    {
      name: "functions",
      summary: "your own handlers: what is loaded, what they said, call one",
      load: async () => ({ build: (await import("#cli/commands/functions.ts")).functionsCommand }),
    },
    {
      name: "blobs",
      summary: "put files by name, which start your functions",
      load: async () => ({ build: (await import("#cli/commands/blobs.ts")).blobsCommand }),
    },
    {
      name: "webhooks",
      summary: "call an endpoint about what happens, and deliver again",
      load: async () => ({ build: (await import("#cli/commands/webhooks.ts")).webhooksCommand }),
    },
  ],
  Look: [
    {
      name: "status",
      summary: "the whole house on one screen, and what needs you",
      load: async () => ({ build: (await import("#cli/commands/status.ts")).statusCommand }),
    },
    {
      name: "why",
      summary: "did they get it, and if not, why not?",
      load: async () => ({ build: (await import("#cli/commands/why.ts")).whyCommand }),
    },
    {
      name: "messages",
      summary: "list messages, newest first",
      load: async () => ({ build: (await import("#cli/commands/messages.ts")).messagesCommand }),
    },
    {
      name: "tail",
      summary: "follow events as they happen",
      load: async () => ({ build: (await import("#cli/commands/tail.ts")).tailCommand }),
    },
    {
      name: "topology",
      summary: "the whole system as one graph, from what is loaded",
      load: async () => ({ build: (await import("#cli/commands/topology.ts")).topologyCommand }),
    },
    {
      name: "consumers",
      summary: "who reads the journal, and how far behind",
      load: async () => ({ build: (await import("#cli/commands/consumers.ts")).consumersCommand }),
    },
    {
      name: "mailbox",
      summary: "read what was caught instead of sent",
      load: async () => ({ build: (await import("#cli/commands/mailbox.ts")).mailboxCommand }),
    },
  ],
  Mend: [
    {
      name: "dlq",
      summary: "read, redrive and discard dead letters",
      load: async () => ({ build: (await import("#cli/commands/dlq.ts")).dlqCommand }),
    },
    {
      name: "keys",
      summary: "create, list and revoke API keys",
      load: async () => ({ build: (await import("#cli/commands/keys.ts")).keysCommand }),
    },
    {
      name: "backup",
      summary: "write everything into one file while the server runs",
      load: async () => ({ build: (await import("#cli/commands/backup.ts")).backupCommand }),
    },
    {
      name: "restore",
      summary: "make a data folder of a backup; nothing is sent by itself",
      load: async () => ({ build: (await import("#cli/commands/restore.ts")).restoreCommand }),
    },
    {
      name: "migrate",
      summary: "move the data folder into Postgres",
      load: async () => ({ build: (await import("#cli/commands/migrate.ts")).migrateCommand }),
    },
    {
      name: "held",
      summary: "decide on what a restore held back",
      load: async () => ({ build: (await import("#cli/commands/held.ts")).heldCommand }),
    },
  ],
};

export const COMMANDS: readonly Entry[] = Object.values(GROUPS).flat();

export function findCommand(name: string): Entry | null {
  return COMMANDS.find((command) => command.name === name) ?? null;
}

/** The sentence for a command that there is not. */
export function unknownCommand(name: string): string {
  const near = closest(
    name,
    COMMANDS.map((command) => command.name),
  );
  return `there is no command ${JSON.stringify(name)}${near === null ? "" : `; did you mean ${near}?`}`;
}

const ENDS: Readonly<Record<number, string>> = {
  [EXIT.ok]: "done",
  [EXIT.no]: "the thing asked for is not so, or did not work",
  [EXIT.usage]: "the command line or a setting is wrong",
  [EXIT.unreachable]: "no server answers",
  [EXIT.refused]: "the server said no (key, request)",
  [EXIT.interrupted]: "interrupted",
};

/** `tidings --help`. */
export function renderHelp(screen: Screen): string {
  const title = (text: string): string => paint(screen, "bold", text);
  const name = (text: string): string => paint(screen, "cyan", text.padEnd(11));
  const groups = Object.entries(GROUPS).flatMap(([group, entries]) => [
    title(`${group}:`),
    ...entries.map((entry) => `  ${name(entry.name)}${entry.summary}`),
    "",
  ]);
  const ends = Object.entries(ENDS).map(([exit, says]) => `  ${exit.padEnd(5)}${says}`);
  return `${[
    "Tidings turns what happens in your services into notifications that arrive.",
    "",
    `${title("Usage:")} tidings [command] [options]`,
    "",
    ...groups,
    title("Begin:"),
    "  tidings dev",
    "  tidings send --to ada@example.com --title Hello --body 'It works.'",
    "",
    title("Exit codes:"),
    ...ends,
    "",
    "  tidings COMMAND --help     options and examples of a command",
    "  tidings --version          the version",
  ].join("\n")}\n`;
}
