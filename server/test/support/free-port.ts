import { once } from "node:events";
import net from "node:net";

/** A loopback port that nobody has at this moment. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo; // a TCP server that listens has one
  server.close();
  await once(server, "close");
  return port;
}
