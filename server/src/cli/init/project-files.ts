/** A new project, as it is written: path by path. `dependency`: of the package `tidings`. */
export function projectFiles({
  name,
  dependency,
}: {
  readonly name: string;
  readonly dependency: string;
}): readonly (readonly [path: string, text: string])[] {
  return [
    ["functions/hello.ts", HELLO],
    ["functions/hello.test.ts", HELLO_TEST],
    ["tidings.config.ts", CONFIG],
    ["package.json", packageJson(name, dependency)],
    ["tsconfig.json", TSCONFIG],
    ["README.md", readme(name)],
    [".gitignore", GITIGNORE],
  ];
}

const HELLO = `import { defineFunction, http } from "tidings";

/** POST /api/hello { "name": "Ada", "email": "ada@example.com" } says hello by mail. */
export default defineFunction({
  on: http<{ name: string; email: string }>("POST", "/api/hello", { auth: "none" }),
  handler({ body }, { send, events, settings }) {
    const requestId = send({
      to: { email: body.email },
      content: { title: \`Hello, \${body.name}\`, body: \`Good to have you at \${settings.shop}.\` },
    });
    // Other functions may listen: on: event({ "detail-type": ["Greeted"] })
    events.raise({ type: "Greeted", data: { name: body.name } });
    // The caller reads this when the mail and the event are on disk.
    return { status: 202, body: { requestId } };
  },
});
`;

const HELLO_TEST = `import assert from "node:assert/strict";
import { test } from "node:test";
import { httpCall, invoke } from "tidings/testing";
import hello from "./hello.ts";

test("whoever asks is greeted by mail, and an event tells of it", async () => {
  const call = httpCall({ name: "Ada", email: "ada@example.com" });
  const { output, sends, events } = await invoke(hello, call, { settings: { shop: "the test" } });
  assert.equal(output.status, 202);
  assert.deepEqual(sends, [
    { to: { email: "ada@example.com" }, content: { title: "Hello, Ada", body: "Good to have you at the test." } },
  ]);
  assert.deepEqual(events[0]?.data, { name: "Ada" });
});
`;

const CONFIG = `import { defineConfig } from "tidings";

export default defineConfig({
  functions: {
    // Given to every handler; secrets come from the environment: secrets: { key: env("SHOP_KEY") }
    settings: { shop: "Ada's shop" },
  },
});
`;

export const GITIGNORE = "node_modules/\n.tidings/\n";

export const TSCONFIG = `{
  "compilerOptions": {
    "target": "esnext",
    "module": "nodenext",
    "noEmit": true,
    "strict": true,
    "erasableSyntaxOnly": true,
    "verbatimModuleSyntax": true,
    "allowImportingTsExtensions": true
  }
}
`;

/** @param more scripts beside those that every project has. */
export function packageJson(name: string, dependency: string, more: Readonly<Record<string, string>> = {}): string {
  const scripts = { dev: "tidings dev", start: "tidings start", test: "tidings test", ...more };
  const json = { name, private: true, type: "module", scripts, dependencies: { tidings: dependency } };
  return `${JSON.stringify(json, null, 2)}\n`;
}

function readme(name: string): string {
  return `# ${name}

One function, [functions/hello.ts](functions/hello.ts): a call of its path sends a mail.

\`\`\`sh
npm install
npm test
npm run dev
\`\`\`

\`dev\` catches every mail, so nothing leaves this machine. In a second terminal:

\`\`\`sh
curl -sS http://127.0.0.1:3300/api/hello -H "content-type: application/json" -d '{"name": "Ada", "email": "ada@example.com"}'
npx tidings mailbox show last
\`\`\`

Change the words in \`functions/hello.ts\` and save: the next call has them. Then add a file beside it:

- \`queue("orders")\` is called with messages of a queue, \`event({ "detail-type": ["Greeted"] })\` with events,
  \`schedule("0 8 * * *", "Europe/Berlin")\` at a time, \`blob("uploads/")\` with files.
- \`npx tidings functions\` shows what is loaded, \`npx tidings functions logs hello\` what it said,
  \`npx tidings topology\` how it hangs together.

With a mail server: \`TIDINGS_SMTP_URL=smtp://user:password@mail.example:587 npm start\`.
`;
}
