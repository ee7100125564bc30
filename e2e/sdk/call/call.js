// An application with calls, as the tests drive it. One page is one participant, or, for recording, both.

const RIDS = ["q", "h", "f"];

const peers = {};
const problems = [];
let pulse;

/** Take part in a room: `server` is where roompulse and its SDK are. */
async function join({ server, ...options }) {
  const { RoomPulse } = await import(`${server}/static/sdk/roompulse.js`);
  pulse = new RoomPulse({ url: server, onError: ({ message }) => problems.push(message), ...options });
}

/** The local tracks: microphone, camera and, where asked for, the screen. */
async function capture({ screen = false, width = 320, height = 240 } = {}) {
  const tracks = (await navigator.mediaDevices.getUserMedia({ audio: true, video: { width, height } })).getTracks();
  if (screen) tracks.push(...(await navigator.mediaDevices.getDisplayMedia({ video: true })).getVideoTracks());
  return (peers.tracks = tracks);
}

function play({ track }) {
  const element = document.createElement(track.kind);
  element.srcObject = new MediaStream([track]);
  element.autoplay = true;
  document.body.append(element);
}

function connect(name, tracks = peers.tracks, layers) {
  const connection = new RTCPeerConnection();
  connection.ontrack = play;
  for (const track of tracks) {
    connection.addTransceiver(track, track.kind === "video" && layers ? { sendEncodings: layers } : {});
  }
  peers[name] = connection;
  pulse?.watch(connection, { name });
  return connection;
}

async function described(connection) {
  await connection.setLocalDescription();
  while (connection.iceGatheringState !== "complete") {
    await new Promise((resolve) => connection.addEventListener("icegatheringstatechange", resolve, { once: true }));
  }
  return connection.localDescription.toJSON();
}

async function offer(name) {
  return described(peers[name] ?? connect(name));
}

async function answer(name, offered) {
  const connection = peers[name] ?? connect(name, []);
  await connection.setRemoteDescription(offered);
  for (const track of peers.tracks ?? []) {
    const free = connection.getTransceivers().find(({ sender, receiver }) => !sender.track && receiver.track.kind === track.kind);
    if (!free || connection.getSenders().some((sender) => sender.track === track)) continue;
    free.direction = "sendrecv";
    await free.sender.replaceTrack(track);
  }
  return described(connection);
}

async function accept(name, answered) {
  await peers[name].setRemoteDescription(answered);
}

/** Browsers do not take several layers, so the answer is made to say that they are taken. */
function takingLayers({ type, sdp }) {
  const rids = RIDS.map((rid) => `a=rid:${rid} recv\r\n`).join("");
  return { type, sdp: sdp.replace(/(m=video[^]*)$/, `$1${rids}a=simulcast:recv ${RIDS.join(";")}\r\n`) };
}

function sender(name, kind) {
  return peers[name].getSenders().find(({ track }) => track?.kind === kind);
}

/** Limits what the camera sends, in its number of pixels by no means. */
async function limit(name, encoding) {
  const parameters = sender(name, "video").getParameters();
  parameters.degradationPreference = "maintain-resolution";
  Object.assign(parameters.encodings[0], encoding);
  await sender(name, "video").setParameters(parameters);
}

Object.assign(window, { accept, answer, capture, connect, join, limit, offer, peers, problems, sender, takingLayers });
window.pulse = () => pulse;
