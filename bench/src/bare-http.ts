import http from "node:http";
import net from "node:net";

/** What loopback and node:http give by themselves: reads a body, answers 202; and a TCP port that says back what it hears. */
const server = http.createServer((request, response) => {
  request.resume();
  request.on("end", () => {
    const body = '{"requestId":"1-6b0302ad-92e79f2cd9f9fa2598e38f7e"}';
    response.writeHead(202, { "content-type": "application/json", "content-length": body.length });
    response.end(body);
  });
});
const echo = net.createServer({ noDelay: true }, (socket) => socket.on("error", () => undefined).pipe(socket));
const portOf = (listening: net.Server): number => {
  const address = listening.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return address.port;
};
server.listen(0, "127.0.0.1", () => {
  echo.listen(0, "127.0.0.1", () => {
    process.stdout.write(`${JSON.stringify({ port: portOf(server), echoPort: portOf(echo) })}\n`);
  });
});
