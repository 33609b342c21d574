import { freePort } from "./free-port.ts";
import type { Mta } from "./mta-packages.ts";
import { PrivateRoot } from "./private-root.ts";
import { until } from "./until.ts";

export type OpenSmtpdOptions<Door extends string> = {
  /** Where all mail goes on to: a port of this machine. */
  readonly relayTo: number;
  /** Ways in, each a `listen` of its own, with what stands behind the port: `""`, or e.g. `"mask-src"`. */
  readonly doors: Readonly<Record<Door, string>>;
  /** Lines of smtpd.conf before all others. */
  readonly settings?: readonly string[];
  /** Files that the settings name: paths and texts. They belong to root, and nobody else reads them. */
  readonly files?: Readonly<Record<string, string>>;
};

/** An OpenSMTPD with a configuration, queue and users of its own on free loopback ports, handing on every mail. */
export class OpenSmtpdServer<Door extends string> implements AsyncDisposable {
  readonly ports: Readonly<Record<Door, number>>;
  readonly #root: PrivateRoot;
  readonly #command: string;

  private constructor(root: PrivateRoot, command: string, ports: Readonly<Record<Door, number>>) {
    this.#root = root;
    this.#command = command;
    this.ports = ports;
  }

  /** @throws {Error} with the end of its log when it does not start. */
  static async open<Door extends string>(mta: Mta, options: OpenSmtpdOptions<Door>): Promise<OpenSmtpdServer<Door>> {
    const { doors, relayTo, settings = [], files = {} } = options;
    const names = Object.keys(doors) as Door[]; // a record's keys are those of its type
    const numbers = await Promise.all(names.map(freePort));
    // One number for each name.
    const ports = Object.fromEntries(names.map((name, i) => [name, numbers[i]])) as Record<Door, number>;
    const root = await PrivateRoot.open({ packages: mta.packages, empty: ["/var/spool/smtpd", "/var/log"] });
    const server = new OpenSmtpdServer(root, mta.command, ports);
    try {
      await root.run(`${ADD_USERS}\n${NO_DNS}`);
      const config = [
        ...settings,
        ...names.map((name) => `listen on 127.0.0.1 port ${ports[name]} hostname mx.example.net ${doors[name]}`),
        `action "on" relay host smtp://127.0.0.1:${relayTo} helo mx.example.net`,
        'match from any for any action "on"',
      ];
      for (const [path, text] of Object.entries(files)) {
        await root.write(path, text);
        await root.run(`chmod 600 '${path}'`);
      }
      await root.write("/etc/smtpd.conf", `${config.join("\n")}\n`);
      await server.start();
    } catch (error) {
      await root[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  /** Returns when its ports are open. */
  async start(): Promise<void> {
    const [port = 0] = Object.values<number>(this.ports);
    const log = "/var/log/maillog";
    await this.#root.run(
      `echo >> ${log}; '${this.#command}' -d -f /etc/smtpd.conf >> ${log} 2>&1 & echo $! > /run/smtpd.pid`,
    );
    const hex = port.toString(16).toUpperCase().padStart(4, "0");
    try {
      await until("OpenSMTPD listens", () =>
        // /proc/net/tcp: 127.0.0.1, the port, and state 0A, LISTEN.
        this.#root
          .run(`grep -c ' 0100007F:${hex} 00000000:0000 0A' /proc/net/tcp || true`)
          .then((said) => Number(said) > 0),
      );
    } catch (error) {
      throw new Error(`OpenSMTPD did not start: ${await this.log()}`, { cause: error });
    }
  }

  /** As its administrator would; mails stay in the queue. */
  async stop(): Promise<void> {
    await this.#root.run(
      'kill "$(cat /run/smtpd.pid)"; while kill -0 "$(cat /run/smtpd.pid)" 2>/dev/null; do sleep 0.05; done',
    );
  }

  /** As a power cut would, but for the disk: every process at once. */
  async kill(): Promise<void> {
    await this.#root.run("kill -9 -1; true");
  }

  /** The end of what it wrote into its log. */
  log(chars = 4_000): Promise<string> {
    return this.#root.run(`tail -c ${chars} /var/log/maillog || true`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#root[Symbol.asyncDispose]();
  }
}

/** Its parts run as users of their own, by the names with which it was built, in an empty folder. */
const ADD_USERS = `
for user in opensmtpd:9201 opensmtpq:9202; do
  name="\${user%:*}" id="\${user#*:}"
  grep -q "^$name:" /etc/passwd || echo "$name:x:$id:$id::/run/opensmtpd/empty:/usr/sbin/nologin" >> /etc/passwd
  grep -q "^$name:" /etc/group || echo "$name:x:$id:" >> /etc/group
done
mkdir -p /run/opensmtpd/empty /var/lib/opensmtpd/empty /var/spool/smtpd
chmod 711 /var/spool/smtpd
chown root /var/spool/smtpd`;

/** It looks up the name of whoever calls; nobody is asked, and nobody answers. */
const NO_DNS = `
rm -f /etc/resolv.conf
echo 'nameserver 127.0.0.1' > /etc/resolv.conf
echo '127.0.0.1 localhost mx.example.net' > /etc/hosts`;
