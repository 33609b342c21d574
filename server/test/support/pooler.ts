import { connect, createServer, type Socket } from "node:net";
import { freePort } from "./free-port.ts";

/** Stands between us and Postgres as an old PgBouncer does: refuses connections that bring settings along. */
export type Pooler = AsyncDisposable & { readonly url: string; readonly refused: () => number };

/** `SSLRequest` has this in place of a version: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const SSL_REQUEST = 80_877_103;

export async function startPooler(url: string): Promise<Pooler> {
  const { hostname, port: behind } = new URL(url);
  const sockets = new Set<Socket>();
  let refused = 0;
  const server = createServer((socket) => {
    track(socket);
    socket.once("data", (startup: Buffer): void => {
      if (startup.length === 8 && startup.readInt32BE(4) === SSL_REQUEST) {
        socket.end("N");
        return;
      }
      if (startup.includes("options\0") || startup.includes("statement_timeout\0")) {
        refused += 1;
        socket.end(fatal("08P01", "unsupported startup parameter: options"));
        return;
      }
      const onward = connect(Number(behind), hostname);
      track(onward);
      onward.write(startup);
      socket.pipe(onward).pipe(socket);
    });
  });
  function track(socket: Socket): void {
    sockets.add(socket);
    socket.on("error", () => socket.destroy()).once("close", () => sockets.delete(socket));
  }
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const own = new URL(url);
  own.port = String(port);
  return {
    url: own.href,
    refused: () => refused,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function fatal(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
  const head = Buffer.from("E\0\0\0\0");
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}
