import { dirname, join } from "node:path";
import { freePort } from "./free-port.ts";
import type { Mta } from "./mta-packages.ts";
import { PrivateRoot } from "./private-root.ts";

/** Settings of main.cf, by their names. */
export type PostfixSettings = Readonly<Record<string, string>>;

export type PostfixOptions<Door extends string> = {
  /** Where all mail goes on to: a port of this machine, or nowhere. */
  readonly relayTo: number | "discard";
  /** Ways in, each an smtpd on a port of its own, with what it does otherwise than the others. */
  readonly doors: Readonly<Record<Door, PostfixSettings>>;
  /** For all of it. */
  readonly settings?: PostfixSettings;
  /** Files that the settings name: paths and texts. */
  readonly files?: Readonly<Record<string, string>>;
};

/**
 * A Postfix with a configuration, queue and users of its own on free loopback ports. It takes every mail from this machine
 * and hands it on.
 */
export class PostfixServer<Door extends string> implements AsyncDisposable {
  readonly ports: Readonly<Record<Door, number>>;
  readonly #root: PrivateRoot;
  readonly #bin: string;

  private constructor(root: PrivateRoot, bin: string, ports: Readonly<Record<Door, number>>) {
    this.#root = root;
    this.#bin = bin;
    this.ports = ports;
  }

  /** @throws {Error} with the end of its log when it does not start. */
  static async open<Door extends string>(mta: Mta, options: PostfixOptions<Door>): Promise<PostfixServer<Door>> {
    const { doors, relayTo, settings = {}, files = {} } = options;
    const names = Object.keys(doors) as Door[]; // a record's keys are those of its type
    const numbers = await Promise.all(names.map(freePort));
    // One number for each name.
    const ports = Object.fromEntries(names.map((name, i) => [name, numbers[i]])) as Record<Door, number>;
    const root = await PrivateRoot.open({
      packages: mta.packages,
      empty: ["/var/spool/postfix", "/var/lib/postfix", "/var/log"],
    });
    const bin = mta.packages.length > 0 ? "/usr/sbin" : dirname(mta.command);
    const server = new PostfixServer(root, bin, ports);
    try {
      await root.run(ADD_USERS);
      const relay = relayTo === "discard" ? { default_transport: "discard" } : { relayhost: `[127.0.0.1]:${relayTo}` };
      const all: PostfixSettings = { ...BASICS, ...relay, ...settings };
      await root.write("/etc/postfix/main.cf", lines(Object.entries(all).map(([name, value]) => `${name} = ${value}`)));
      await root.write(
        "/etc/postfix/master.cf",
        lines([...names.map((name) => doorLine(ports[name], doors[name])), SERVICES]),
      );
      for (const [path, text] of Object.entries(files)) await root.write(path, text);
      await root.run("chown postfix /var/lib/postfix; chgrp postdrop /usr/sbin/postqueue /usr/sbin/postdrop || true");
      await server.start();
    } catch (error) {
      await root[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  /** Returns when its ports are open. */
  async start(): Promise<void> {
    try {
      await this.#root.run(`${join(this.#bin, "postfix")} start`);
    } catch (error) {
      throw new Error(`Postfix did not start: ${await this.log()}`, { cause: error });
    }
  }

  /** As its administrator would: processes end after what they are doing, mails stay in the queue. */
  async stop(): Promise<void> {
    await this.#root.run(`${join(this.#bin, "postfix")} stop`);
  }

  /** As a power cut would, but for the disk: every process at once. */
  async kill(): Promise<void> {
    await this.#root.run("kill -9 -1; true");
  }

  /** Tries to deliver everything that waits. */
  async flush(): Promise<void> {
    await this.#root.run(`${join(this.#bin, "postqueue")} -f`);
  }

  /** What waits in the queue. */
  async queued(): Promise<number> {
    const said = await this.#root.run(`${join(this.#bin, "postqueue")} -j | wc -l`);
    return Number(said.trim());
  }

  /** The end of what it wrote into its log. */
  log(chars = 4_000): Promise<string> {
    return this.#root.run(`tail -c ${chars} /var/log/maillog || true`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#root[Symbol.asyncDispose]();
  }
}

const lines = (texts: readonly string[]): string => `${texts.join("\n")}\n`;

function doorLine(port: number, settings: PostfixSettings): string {
  const options = Object.entries(settings).map(([name, value]) => `\n  -o { ${name} = ${value} }`);
  return `127.0.0.1:${port} inet n - n - - smtpd${options.join("")}`;
}

/** Postfix wants a user and a group that nobody else has. */
const ADD_USERS = `
grep -q ^postfix: /etc/passwd || echo 'postfix:x:9101:9101::/var/spool/postfix:/usr/sbin/nologin' >> /etc/passwd
grep -q ^postfix: /etc/group || echo 'postfix:x:9101:' >> /etc/group
grep -q ^postdrop: /etc/group || echo 'postdrop:x:9102:' >> /etc/group
`;

/** No DNS, nothing but loopback, and a log in a file. */
const BASICS: PostfixSettings = {
  compatibility_level: "3.6",
  myhostname: "mx.example.net",
  inet_interfaces: "127.0.0.1",
  inet_protocols: "ipv4",
  mynetworks: "127.0.0.0/8",
  mydestination: "",
  smtp_dns_support_level: "disabled",
  smtpd_peername_lookup: "no",
  maillog_file: "/var/log/maillog",
  alias_maps: "",
  alias_database: "",
  // Nobody should have to make room for a test.
  queue_minfree: "0",
  // Short ones are used again for another mail.
  enable_long_queue_ids: "yes",
  // A sink that was away is found again soon.
  minimal_backoff_time: "1s",
  maximal_backoff_time: "2s",
  queue_run_delay: "1s",
};

const SERVICES = `
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
showq unix n - n - - showq
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd`;
