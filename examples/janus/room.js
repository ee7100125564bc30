// A participant of a room of Janus' video room plugin: one connection to send, one for each other participant.

/** Handles of one session with a Janus, over its WebSockets transport. */
class Session {
  constructor(socket) {
    this.socket = socket;
    this.waiting = new Map();
    this.listeners = new Map();
    socket.onmessage = ({ data }) => this.receive(JSON.parse(data));
    setInterval(() => this.post({ janus: "keepalive", session_id: this.id }), 25_000);
  }

  static async open(url) {
    const socket = new WebSocket(url, "janus-protocol");
    await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
    const session = new Session(socket);
    session.id = (await session.post({ janus: "create" })).data.id;
    return session;
  }

  /** Resolves with the answer to a request, which may come after an `ack`. */
  post(request) {
    const transaction = Math.random().toString(36).slice(2);
    this.socket.send(JSON.stringify({ ...request, session_id: this.id, transaction }));
    return new Promise((resolve, reject) => this.waiting.set(transaction, { resolve, reject }));
  }

  receive(message) {
    if (message.janus === "ack" && message.hint !== undefined) return;
    const asked = message.janus === "ack" ? undefined : this.waiting.get(message.transaction);
    if (asked) {
      this.waiting.delete(message.transaction);
      const problem = message.error ?? (message.plugindata?.data.error && { reason: message.plugindata.data.error });
      return problem ? asked.reject(new Error(problem.reason)) : asked.resolve(message);
    }
    this.listeners.get(message.sender)?.(message.plugindata?.data ?? {});
  }

  async attach(listener = () => {}) {
    const { data } = await this.post({ janus: "attach", plugin: "janus.plugin.videoroom" });
    this.listeners.set(data.id, listener);
    return async (body, jsep) => {
      const answer = await this.post({ janus: "message", handle_id: data.id, body, jsep });
      return { data: answer.plugindata.data, jsep: answer.jsep };
    };
  }
}

async function described(connection) {
  await connection.setLocalDescription();
  while (connection.iceGatheringState !== "complete") {
    await new Promise((resolve) => connection.addEventListener("icegatheringstatechange", resolve, { once: true }));
  }
  return connection.localDescription.toJSON();
}

/** Joins a room, sends these tracks and receives those of all others: `received(track, user)` names each sender. */
export async function joinRoom(url, { room, user, tracks, received }) {
  const session = await Session.open(url);
  const send = await session.attach((event) => event.publishers?.forEach(subscribe));
  const joined = (await send({ request: "join", ptype: "publisher", room, id: user, display: `${user}` })).data;
  const connection = new RTCPeerConnection();
  for (const track of tracks) connection.addTransceiver(track, { direction: "sendonly" });
  const { jsep } = await send({ request: "publish" }, await described(connection));
  await connection.setRemoteDescription(jsep);
  await Promise.all(joined.publishers.map(subscribe));

  async function subscribe({ id }) {
    const take = await session.attach();
    const request = { request: "join", ptype: "subscriber", room, private_id: joined.private_id, streams: [{ feed: id }] };
    const { data, jsep } = await take(request);
    const connection = new RTCPeerConnection();
    const feeds = new Map(data.streams.map(({ mid, feed_id }) => [mid, feed_id]));
    connection.ontrack = ({ track, transceiver }) => received(track, feeds.get(transceiver.mid));
    await connection.setRemoteDescription(jsep);
    await take({ request: "start" }, await described(connection));
  }
}
