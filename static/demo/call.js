// A call in one page. Every participant has its own connection to each of the others, as in a call without a media server,
// and its own SDK. The sliders degrade the real media, so the metrics are what getStats() really reports.

import { RoomPulse } from "../sdk/roompulse.js";

const WIDTH = 640;
const HEIGHT = 360;
const FPS = 25;
const INTERVAL = 2; // seconds between two reports: short, so that a slider shows its effect soon
const FULL_BITRATE = 1_500; // kbit/s, where the bitrate slider begins to limit
const LEAST_BITRATE = 20;

const RENEW_EVERY = 60_000; // ms; tokens are valid for five minutes

const call = document.getElementById("call");
const NAMES = call.dataset.users.split(" ");
const note = document.getElementById("call-note");
const template = document.getElementById("participant");
const participants = new Map();
let tokens = {}; // by name; empty where the server requires none

// A picture with movement and detail, so that it costs bits: coloured discs before noise.
function fakeCamera(name, hue) {
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const context = canvas.getContext("2d");
  const grain = context.createImageData(WIDTH, HEIGHT / 6);
  let frame = 0;
  const timer = setInterval(() => {
    frame += 1;
    context.fillStyle = `hsl(${hue} 35% 25%)`;
    context.fillRect(0, 0, WIDTH, HEIGHT);
    for (let disc = 0; disc < 9; disc += 1) {
      const turn = frame / 40 + disc * 0.7;
      context.fillStyle = `hsl(${hue + disc * 25} 70% 55%)`;
      context.beginPath();
      context.arc(WIDTH * (0.5 + 0.4 * Math.cos(turn)), HEIGHT * (0.5 + 0.35 * Math.sin(1.3 * turn)), 28 + 4 * disc, 0, 7);
      context.fill();
    }
    for (let at = 0; at < grain.data.length; at += 4) {
      grain.data[at] = grain.data[at + 1] = grain.data[at + 2] = 60 + 80 * Math.random();
      grain.data[at + 3] = 255;
    }
    context.putImageData(grain, 0, (HEIGHT * 5) / 6);
    context.fillStyle = "#fff";
    context.font = "bold 44px system-ui, sans-serif";
    context.fillText(name, 20, 60);
  }, 1000 / FPS);
  const [track] = canvas.captureStream(FPS).getVideoTracks();
  return { track, end: () => clearInterval(timer) };
}

// A tone that comes and goes like speech. It is inaudible: what is received is not played.
function fakeMicrophone(audio, pitch) {
  const tone = new OscillatorNode(audio, { frequency: pitch });
  const syllables = new OscillatorNode(audio, { frequency: 2.5 });
  const volume = new GainNode(audio, { gain: 0.2 });
  const depth = new GainNode(audio, { gain: 0.2 });
  const output = new MediaStreamAudioDestinationNode(audio);
  syllables.connect(depth).connect(volume.gain);
  tone.connect(volume).connect(output);
  tone.start();
  syllables.start();
  return { track: output.stream.getAudioTracks()[0], end: () => [tone, syllables].forEach((node) => node.stop()) };
}

async function ownDevices() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: WIDTH, height: HEIGHT } });
  return stream.getTracks().map((track) => ({ track, end: () => track.stop() }));
}

class Participant {
  constructor(name, sources) {
    this.name = name;
    this.sources = sources;
    this.stream = new MediaStream(sources.map(({ track }) => track));
    this.links = new Map(); // connections by the name of the other
    this.pulse = new RoomPulse({
      url: document.baseURI,
      room: call.dataset.room,
      user: name,
      token: tokens[name],
      interval: INTERVAL,
      // A restarted server does not accept the tokens that it issued before.
      onError: (error) => (/ answers 401: /.test(error.message) ? renewTokens() : showNote(error)),
    });
    this.card = template.content.firstElementChild.cloneNode(true);
    this.card.querySelector("legend").textContent = name;
    this.card.querySelector("video").srcObject = this.stream;
    this.card.addEventListener("input", () => this.apply());
    this.card.querySelector("[name=leave]").addEventListener("click", () => this.leave());
    document.getElementById("participants").append(this.card);
  }

  value(name) {
    const field = this.card.querySelector(`input[name=${name}]`);
    return field.type === "checkbox" ? field.checked : Number(field.value);
  }

  // The slider is logarithmic: the bitrates that hurt are far below what a camera sends.
  get bitrate() {
    const position = this.value("bitrate") / 100;
    return position === 1 ? null : Math.round(LEAST_BITRATE * (FULL_BITRATE / LEAST_BITRATE) ** position);
  }

  add(other, connection, workers) {
    this.links.set(other.name, { connection, workers });
    this.pulse.watch(connection, { name: other.name });
  }

  apply() {
    const setOutput = (name, text) => {
      this.card.querySelector(`output[name=${name}]`).textContent = text;
    };
    setOutput("bitrate", this.bitrate ? `${this.bitrate} kbit/s` : "unlimited");
    setOutput("frame_rate", `${this.value("frame_rate")} fps`);
    setOutput("lost", `${this.value("lost")} %`);
    for (const { track } of this.sources) track.enabled = !this.value(track.kind === "audio" ? "muted" : "camera_off");
    for (const { connection, workers } of this.links.values()) {
      workers.forEach((worker) => worker.postMessage(this.value("lost") / 100));
      const sender = connection.getSenders().find(({ track }) => track?.kind === "video");
      const parameters = sender?.getParameters();
      if (!parameters?.encodings.length) continue;
      const [encoding] = parameters.encodings;
      delete encoding.maxBitrate;
      if (this.bitrate) encoding.maxBitrate = this.bitrate * 1_000;
      encoding.maxFramerate = this.value("frame_rate");
      sender.setParameters(parameters).catch((error) => showNote(error));
    }
  }

  leave() {
    participants.delete(this.name);
    this.pulse.stop();
    for (const [name, { connection, workers }] of this.links) {
      connection.close();
      workers.forEach((worker) => worker.terminate());
      participants.get(name)?.lose(this.name);
    }
    this.sources.forEach(({ end }) => end());
    this.card.remove();
    if (!participants.size) showNote({ message: "Call ended." });
  }

  lose(name) {
    const { connection, workers } = this.links.get(name);
    this.pulse.unwatch(connection);
    connection.close();
    workers.forEach((worker) => worker.terminate());
    this.links.delete(name);
  }
}

function showNote({ message }) {
  note.textContent = message;
}

// Resolves once the page shows a user with a score.
function firstResults() {
  const users = document.getElementById("users");
  const isThere = () => users.querySelector("tbody [data-level]:not([data-level=unknown])");
  return new Promise((resolve) => {
    const observer = new MutationObserver(() => isThere() && (observer.disconnect(), resolve()));
    observer.observe(users, { childList: true, subtree: true });
  });
}

async function renewTokens() {
  try {
    const answer = await fetch(call.dataset.tokens);
    if (!answer.ok) throw new Error(`could not get room tokens: the server answered ${answer.status}`);
    tokens = await answer.json();
    for (const { name, pulse } of participants.values()) pulse.token = tokens[name];
  } catch (error) {
    showNote(error);
  }
}

// Received media passes a worker that drops encoded frames, like a network that loses whole frames.
function lossy(receiver) {
  const worker = new Worker(call.dataset.worker);
  receiver.transform = new RTCRtpScriptTransform(worker, {});
  return worker;
}

async function connect(one, other) {
  const [here, there] = [new RTCPeerConnection(), new RTCPeerConnection()];
  const toThere = [];
  const toHere = [];
  here.onicecandidate = ({ candidate }) => there.addIceCandidate(candidate);
  there.onicecandidate = ({ candidate }) => here.addIceCandidate(candidate);
  here.ontrack = ({ track, receiver }) => track.kind === "video" && toHere.push(lossy(receiver));
  there.ontrack = ({ track, receiver }) => track.kind === "video" && toThere.push(lossy(receiver));
  for (const track of one.stream.getTracks()) here.addTrack(track, one.stream);
  for (const track of other.stream.getTracks()) there.addTrack(track, other.stream);
  await here.setLocalDescription();
  await there.setRemoteDescription(here.localDescription);
  await there.setLocalDescription();
  await here.setRemoteDescription(there.localDescription);
  one.add(other, here, toThere);
  other.add(one, there, toHere);
}

async function sourcesOf(number, audio, own) {
  if (own && number === 0) return ownDevices();
  return [fakeCamera(NAMES[number], number * 90), fakeMicrophone(audio, 180 + 70 * number)];
}

const start = document.getElementById("start");

if (!window.RTCPeerConnection) {
  start.querySelector("button").disabled = true;
  showNote({ message: "WebRTC is not available in this browser, so the demo call cannot start." });
}

start.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const audio = new AudioContext();
  form.hidden = true;
  try {
    await renewTokens();
    setInterval(renewTokens, RENEW_EVERY);
    for (let number = 0; number < Number(form.elements.participants.value); number += 1) {
      const sources = await sourcesOf(number, audio, form.elements.camera.checked);
      const newcomer = new Participant(NAMES[number], sources);
      for (const other of participants.values()) await connect(other, newcomer);
      participants.set(newcomer.name, newcomer);
    }
    showNote({ message: `First results within ${3 * INTERVAL} seconds.` });
    firstResults().then(() => showNote({ message: "" }));
  } catch (error) {
    form.hidden = false;
    for (const participant of participants.values()) participant.leave();
    showNote(error); // shown last, since leaving shows that the call ended
  }
});
