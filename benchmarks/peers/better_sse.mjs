// node better_sse.mjs PORT: POST sends its body to all who GET, by better-sse.
import { createServer } from "node:http";
import { createRequire } from "node:module";

const { createChannel, createSession } = createRequire(`${process.cwd()}/`)("better-sse");
const channel = createChannel();

createServer(async (request, response) => {
  if (request.method === "GET") {
    // The body is sent as it is: to make JSON of it for each session would cost better-sse more.
    const session = await createSession(request, response, { serializer: (data) => data, keepAlive: null });
    channel.register(session);
    session.push("open");
    return;
  }
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  channel.broadcast(Buffer.concat(pieces).toString());
  response.end();
}).listen(Number(process.argv[2]), "127.0.0.1");
