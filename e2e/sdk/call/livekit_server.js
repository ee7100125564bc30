// The other end of examples/livekit.html, in the page itself: what a LiveKit server says on its WebSocket (Protocol
// Buffers of livekit.SignalRequest and SignalResponse), in front of connections that send and receive.
// It is one of those that have /rtc and not yet /rtc/v1.

const [sending, receiving] = [new RTCPeerConnection(), new RTCPeerConnection()]; // before the SDK wraps the constructor
const TRACKS = [["TR_mic", 0, 2], ["TR_camera", 1, 1]]; // sid, type, source

function varint(number) {
  return number < 128 ? [number] : [(number % 128) + 128, ...varint(Math.floor(number / 128))];
}

function field(number, value) {
  if (typeof value === "number") return [...varint(8 * number), ...varint(value)];
  const data = typeof value === "string" ? [...new TextEncoder().encode(value)] : value;
  return [...varint(8 * number + 2), ...varint(data.length), ...data];
}

const message = (fields) => Object.entries(fields).flatMap(([number, value]) => field(Number(number), value));

/** The fields of a message by number: numbers, and bytes of the others. */
function parsed(bytes) {
  const fields = {};
  let at = 0;
  const next = () => {
    let number = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++];
      number += (byte % 128) * factor;
      if (byte < 128) return number;
    }
  };
  while (at < bytes.length) {
    const tag = next();
    const length = next();
    fields[Math.floor(tag / 8)] = tag % 8 ? bytes.subarray(at, (at += length)) : length;
  }
  return fields;
}

const string = (bytes) => new TextDecoder().decode(bytes);

async function gathered(connection) {
  while (connection.iceGatheringState !== "complete") {
    await new Promise((resolve) => connection.addEventListener("icegatheringstatechange", resolve, { once: true }));
  }
  return connection.localDescription.sdp;
}

/** What u2 sends, under the names that a LiveKit client finds its tracks by. */
async function offer() {
  const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 320, height: 240 } });
  for (const track of [...media.getAudioTracks(), ...media.getVideoTracks()]) {
    sending.addTransceiver(track, { direction: "sendonly", streams: [new MediaStream()] });
  }
  await sending.setLocalDescription();
  let section = -1;
  return (await gathered(sending)).replace(/^m=|msid:\S+ \S+/gm, (found) => {
    if (found === "m=") section++;
    return found === "m=" ? found : `msid:PA_u2|${TRACKS[section][0]} ${TRACKS[section][0]}`;
  });
}

window.WebSocket = class extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;
  readyState = 0;
  protocol = "";
  extensions = "";
  #queue = Promise.resolve();

  constructor(url) {
    super();
    setTimeout(() => (new URL(url).pathname === "/rtc" ? this.#open() : this.#refuse()));
  }

  #emit(event) {
    this[`on${event.type}`]?.(event);
    this.dispatchEvent(event);
  }

  #refuse() {
    this.readyState = 3;
    this.#emit(new Event("error"));
    this.#emit(new CloseEvent("close", { code: 1006 }));
  }

  #say(fields) {
    this.#emit(new MessageEvent("message", { data: Uint8Array.from(message(fields)).buffer }));
  }

  async #open() {
    this.readyState = 1;
    this.#emit(new Event("open"));
    const tracks = TRACKS.flatMap(([sid, type, source]) => field(4, message({ 1: sid, 2: type, 9: source })));
    const permission = message({ 1: 1, 2: 1, 3: 1 });
    const participant = message({ 1: "PA_u1", 2: "u1", 3: 2, 11: permission });
    const other = [...message({ 1: "PA_u2", 2: "u2", 3: 2 }), ...tracks];
    const room = message({ 1: "RM_1", 2: "room-1" });
    this.#say({ 1: message({ 1: room, 2: participant, 3: other, 4: "1.8.0", 6: 1, 10: 600, 11: 300 }) });
    this.#say({ 3: message({ 1: "offer", 2: await offer(), 3: 1 }) });
  }

  send(data) {
    const request = parsed(new Uint8Array(data));
    this.#queue = this.#queue.then(() => this.#answer(request));
  }

  async #answer({ 1: offered, 2: answered, 3: candidate, 4: track }) {
    if (offered) {
      const { 2: sdp, 3: id = 0 } = parsed(offered);
      await receiving.setRemoteDescription({ type: "offer", sdp: string(sdp) });
      await receiving.setLocalDescription();
      this.#say({ 2: message({ 1: "answer", 2: await gathered(receiving), 3: id }) });
    } else if (answered) {
      await sending.setRemoteDescription({ type: "answer", sdp: string(parsed(answered)[2]) });
    } else if (candidate) {
      const { 1: init, 2: target = 0 } = parsed(candidate);
      const connection = target ? sending : receiving;
      if (connection.remoteDescription) await connection.addIceCandidate(JSON.parse(string(init)));
    } else if (track) {
      const { 1: cid, 3: type = 0 } = parsed(track);
      this.#say({ 6: message({ 1: string(cid), 2: message({ 1: `TR_of_u1_${type}`, 2: type }) }) });
    }
  }

  close(code = 1000) {
    this.readyState = 3;
    this.#emit(new CloseEvent("close", { code, wasClean: true }));
  }
};
