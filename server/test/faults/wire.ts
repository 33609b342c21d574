import { once } from "node:events";
import net from "node:net";
import { setTimeout as wait } from "node:timers/promises";

/**
 * A piece of network between one node and the database: a TCP proxy that can be cut. What is on the way then is held, as
 * a kernel holds and sends again what was not acknowledged: it arrives, late, when the wire is whole again. Nobody is told
 * of the cut by an error; whoever connects meanwhile gets no answer.
 */
export class Wire implements AsyncDisposable {
  readonly #server: net.Server;
  readonly #target: net.NetConnectOpts;
  readonly #ends = new Set<net.Socket>();
  #isCut = false;

  private constructor(server: net.Server, target: net.NetConnectOpts) {
    this.#server = server;
    this.#target = target;
    server.on("connection", (near) => this.#join(near));
  }

  /** @param host where it listens; the loopback unless the node is behind a network of its own. */
  static async open(target: { readonly host: string; readonly port: number }, host = "127.0.0.1"): Promise<Wire> {
    const server = net.createServer({ allowHalfOpen: true }).listen(0, host);
    await once(server, "listening");
    return new Wire(server, target);
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port; // it listens on TCP
  }

  cut(): void {
    this.#isCut = true;
    for (const end of this.#ends) end.pause();
  }

  mend(): void {
    this.#isCut = false;
    for (const end of this.#ends) end.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends) end.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(near: net.Socket): void {
    const far = net.connect({ ...this.#target, allowHalfOpen: true });
    this.#carry(near, far);
    this.#carry(far, near);
  }

  #carry(from: net.Socket, to: net.Socket): void {
    this.#ends.add(from);
    from.setNoDelay(true);
    from.on("data", (bytes) => {
      if (!to.write(bytes)) from.pause();
    });
    to.on("drain", () => {
      if (!this.#isCut) from.resume();
    });
    from.on("end", () => to.end());
    from.on("error", () => {});
    from.on("close", (broke) => void this.#closed(from, to, broke));
    if (this.#isCut) from.pause();
  }

  /** That one side is gone does not come through a cut wire either. */
  async #closed(from: net.Socket, to: net.Socket, broke: boolean): Promise<void> {
    this.#ends.delete(from);
    while (this.#isCut && !to.destroyed) await wait(LOOK_MS);
    if (broke) to.resetAndDestroy();
    else to.end();
  }
}

const LOOK_MS = 10;
