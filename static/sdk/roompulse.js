// See docs/browser-sdk.md. Nothing here throws.

export const SDK_VERSION = "roompulse.js/1.1.0";

const SHORTEST = 500; // ms
const HEARD_FOR = 10_000; // ms
const MOST_WAITING = 100;
const TIMEOUT = 15_000; // ms
const LONGEST_WAIT = 30; // s
const MOVING = 15; // fps
const EMPTY = 0.006; // bits per pixel, beside 800 of a frame
const QUANTISER = { VP8: 127, VP9: 255, AV1: 255, H264: 51, H265: 51 }; // the coarsest

const figure = (value, most = 1e9, digits = 1) => (value >= 0 ? +Math.min(value, most).toFixed(digits) : undefined);

const grown = (pairs, name) => pairs.reduce((total, [now, then]) => total + now[name] - then[name], 0);

function figures(slot, { all, longest, off, pair, rtps, screen, send, source }) {
  const at = rtps[0].timestamp;
  const { before } = slot;
  if (at - before?.at < SHORTEST) return;
  slot.before = { at, off, rtps, source };
  if (!(at - before?.at <= longest)) return void (slot.heard = {});
  const [bytes, packets] = send ? ["bytesSent", "packetsSent"] : ["bytesReceived", "packetsReceived"];
  const layers = rtps
    .map((now) => [now, before.rtps.find(({ ssrc }) => ssrc === now.ssrc)])
    .filter(([now, then]) => now[bytes] >= then?.[bytes] && now[packets] >= then[packets]);
  if (!layers.length) return;
  const seconds = (at - before.at) / 1000;
  const lost = Math.max(0, grown(layers, "packetsLost"));
  const sources = source && source.id === before.source?.id ? [[source, before.source]] : [];
  const codec = all.find((stat) => stat.id === layers[0][0].codecId) ?? {};
  const base = {
    bitrate: figure(grown(layers, bytes) / 125 / seconds, 1e7),
    codec: codec.mimeType?.split("/")[1],
  };
  const heardOf = (type, { ssrc }) => all.find((stat) => stat.type === type && stat.ssrc === ssrc);

  function sent() {
    let missed = 0;
    let total = 0;
    for (const [now, then] of layers) {
      const report = heardOf("remote-inbound-rtp", now);
      const last = slot.heard[now.ssrc];
      if (!report || report.timestamp <= last?.timestamp) continue;
      const share = (report.timestamp - then.timestamp) / (at - then.timestamp);
      const by = then.packetsSent + share * (now.packetsSent - then.packetsSent);
      slot.heard[now.ssrc] = { ...report, by };
      if (last) {
        missed += Math.max(0, report.packetsLost - last.packetsLost);
        total += by - last.by;
      }
      slot.sent = { ...report, at, loss: missed / total };
    }
    return at - slot.sent?.at < HEARD_FOR ? slot.sent : {};
  }

  function received() {
    const [now] = layers[0];
    return { ...heardOf("remote-outbound-rtp", now), ...now, loss: lost / (lost + grown(layers, packets)) };
  }

  function network() {
    const { jitter, loss, roundTripTime = pair?.currentRoundTripTime } = send ? sent() : received();
    return {
      rtt: figure(1000 * roundTripTime, 600_000),
      packet_loss: figure(100 * loss, 100, 2),
      jitter: figure(1000 * jitter, 600_000),
    };
  }

  function audio() {
    const heard = send ? sources : layers;
    const power = grown(heard, "totalAudioEnergy") / grown(heard, "totalSamplesDuration");
    const concealed = grown(layers, "concealedSamples") - grown(layers, "silentConcealedSamples");
    return {
      ...base,
      sample_rate: codec.clockRate,
      channels: codec.channels,
      level: off ? undefined : figure(Math.sqrt(power), 1, 3),
      muted: send ? off : undefined,
      concealed: figure((100 * concealed) / grown(layers, "totalSamplesReceived"), 100),
    };
  }

  function video() {
    const area = ([now, then]) => (now[bytes] > then[bytes] && now.frameWidth * now.frameHeight) || 0;
    const largest = layers.reduce((best, layer) => (area(layer) > area(best) ? layer : best));
    const [now, then] = largest;
    const of = (counter) => grown([largest], counter);
    const frames = of(send ? "framesEncoded" : "framesDecoded");
    const rate = frames / seconds;
    const moves = (grown(sources, "frames") || frames) / seconds;
    // A camera that was turned off goes on as black frames.
    const bits = (8 * (of(bytes) - (of("retransmittedBytesReceived") || 0))) / frames;
    const few = (EMPTY * area(largest) + 800) * (Math.abs(Math.log2(bits / slot.bits)) > 1 ? 4 : 1);
    slot.bits = bits;
    if (off || before.off || (bits < few && of("qpSum") / frames < QUANTISER[base.codec] / 2)) return null;
    if (!frames && !(send ? now.active && slot.seen && moves : lost || of("framesReceived"))) return null;
    // What came or went meanwhile is not slow, nor is a screen at rest.
    const steady = !frames || lost || [now, then].every((stat) => stat.framesPerSecond >= rate / 2);
    return {
      ...base,
      frame_rate: steady && !(screen && moves < MOVING) ? figure(rate, 1000) : undefined,
      width: now.frameWidth,
      height: now.frameHeight,
      frames_dropped: figure(of("framesDropped")),
      freeze_count: figure(of("freezeCount")),
      freeze_duration: figure(of("totalFreezesDuration")),
      content: screen ? "screen" : "camera",
    };
  }

  const flows = grown(layers, packets) > 0;
  const pictured = rtps[0].kind === "video";
  const found = {
    video: pictured ? video() : null,
    audio: pictured ? null : flows ? audio() : off ? { muted: off } : null,
    network: flows ? network() : null,
  };
  slot.seen ||= flows;
  return found;
}

/** What is new since `memory`, at first { slots: {} }, was last handed in. */
export function measure(stats, connection, memory, longest, name) {
  const all = [...stats.values()];
  const chosen = all.map((stat) => stat.selectedCandidatePairId);
  const pair = all.find((stat) => stat.type === "candidate-pair" && (stat.selected || chosen.includes(stat.id)));
  memory.network = all.find((stat) => stat.id === pair?.localCandidateId)?.networkType;
  const { slots } = memory;
  memory.slots = {};
  const streams = [];
  for (const { mid, currentDirection, sender, receiver } of connection.getTransceivers()) {
    for (const direction of ["send", "recv"]) {
      const send = direction === "send";
      const rtps = all.filter((stat) => stat.mid === mid && stat.type === (send ? "outbound-rtp" : "inbound-rtp"));
      if (!rtps.length || !currentDirection?.includes(direction)) continue;
      const { kind, ssrc, contentType } = rtps[0];
      const { track } = send ? sender : receiver;
      const display = track?.getSettings?.().displaySurface || /detail|text/.test(track?.contentHint) || contentType;
      const given = typeof name === "function" ? name(track, { mid, ssrc, direction, kind }) : name;
      const { user, stream } = typeof given === "string" ? { user: given } : (given ?? {});
      const slot = slots[direction + mid] ?? { direction };
      delete slots[direction + mid];
      memory.slots[direction + mid] = slot;
      slot.user = send ? undefined : user;
      slot.stream = stream ?? (kind === "audio" ? "mic" : display ? "screen" : "camera");
      const found = figures(slot, {
        all,
        longest,
        off: send && !(track?.enabled && !track.muted && track.readyState === "live"),
        pair: connection.connectionState === "connected" && pair,
        rtps,
        screen: slot.stream.startsWith("screen"),
        send,
        source: send && all.find((stat) => stat.type === "media-source" && stat.trackIdentifier === track?.id),
      });
      if (found && slot.seen) streams.push({ slot, found });
    }
  }
  // Else its last figures would pass for the present.
  for (const slot of Object.values(slots)) if (slot.seen) streams.push({ slot });
  return streams;
}

/** The second stream of a name gets a number, and keeps it. */
function label(slots) {
  const taken = new Set();
  const wish = ({ direction, stream, user }) => [direction, user, stream].join("\n");
  const settled = (slot) => slot.wish === wish(slot);
  for (const slot of slots.filter(({ seen }) => seen).sort((a, b) => settled(b) - settled(a))) {
    if (!settled(slot)) slot.number = 1;
    slot.wish = wish(slot);
    while (taken.has(slot.wish + slot.number)) slot.number++;
    taken.add(slot.wish + slot.number);
    slot.id = slot.stream + (slot.number > 1 ? `-${slot.number}` : "");
  }
}

function device(network) {
  const named = (pattern) => navigator.userAgent.match(pattern)?.[0];
  return {
    type: named(/iPad|Android(?!.*Mobile)/) ? "tablet" : named(/Mobile/) ? "mobile" : "desktop",
    os: named(/Android|iPhone|iPad|Windows|Mac OS|CrOS/) ?? named(/Linux/),
    browser: named(/Edg|OPR|Firefox/) ?? named(/Chrome|Safari/),
    network_type: network,
  };
}

function outbox(url, tell, holder) {
  let queue = [];
  let running;
  let failures = 0;
  let notBefore = 0;
  let told = 0; // s, by the server
  let refused = 0;

  const text = (report) => JSON.stringify({ ...report, token: holder.token });

  async function post(report) {
    told = 0;
    const { token } = holder;
    try {
      const response = await fetch(url, { method: "POST", body: text(report), signal: AbortSignal.timeout(TIMEOUT) });
      const answer = await response.json().catch(() => null);
      if (answer?.code === 0) {
        if (failures) tell((failures = 0));
        return 0;
      }
      tell(`${url} answers ${response.status}: ${answer?.message ?? "no roompulse"}`);
      if (response.status === 401) refused = token;
      else if (response.status < 500 && !/408|429/.test(response.status)) return 0;
      told = Math.min(3600, response.headers.get("Retry-After"));
    } catch (error) {
      tell(`${url} cannot be reached: ${error.message}`);
    }
    return (told || Math.min(LONGEST_WAIT, 2 ** failures++)) * (1 + Math.random() / 2);
  }

  async function run() {
    while (queue.length && performance.now() >= notBefore && holder.token !== refused) {
      const [report] = queue;
      const wait = await post(report);
      if (!wait) queue = queue.filter((waiting) => waiting !== report);
      notBefore = performance.now() + 1000 * wait;
    }
  }

  const flush = () => (running ??= run().finally(() => (running = undefined)));
  return {
    push(report) {
      queue = [...queue, report].slice(-MOST_WAITING);
      flush();
    },
    async last() {
      if (!told) notBefore = 0;
      await flush();
      queue = [];
    },
    beacon() {
      if (holder.token === refused || (told && performance.now() < notBefore)) return;
      try {
        queue = queue.filter((report) => !navigator.sendBeacon(url, text(report)));
      } catch {}
    },
  };
}

const isOver = ({ connection }) => /closed|failed/.test(connection.connectionState);

function pulse(holder, { url, room, user, token, interval, onError = ({ message }) => console.warn(message) }) {
  const every = 1000 * (interval >= 1 ? interval : 5);
  let watched = [];
  let timer;
  let box;
  let told;

  function tell(problem) {
    if (told === `${problem}`) return;
    told = `${problem}`;
    try {
      if (problem) onError(new Error(`roompulse: ${problem}`));
    } catch {}
  }

  async function read({ connection, memory, name }) {
    try {
      const late = (_, reject) => setTimeout(reject, every, "getStats() does not answer");
      const stats = await Promise.race([connection.getStats(), new Promise(late)]);
      return measure(stats, connection, memory, 2 * every, name);
    } catch (error) {
      if (!isOver({ connection })) tell(error);
      return [];
    }
  }

  async function sample(watches) {
    try {
      const open = watches.filter((watch) => !isOver(watch));
      if (!open.length) return;
      const streams = (await Promise.all(open.map(read))).flat();
      label([...new Set([...watched, ...open])].flatMap(({ memory }) => Object.values(memory.slots)));
      const entries = Object.create(null);
      entries[user] = { user_id: user, streams: [], device: device(open[0].memory.network) };
      for (const { slot, found } of streams) {
        const whose = `${slot.user ?? user}`;
        entries[whose] ??= { user_id: whose, streams: [] };
        entries[whose].streams.push({ stream_id: slot.id, direction: slot.direction, ...found });
      }
      box.push({
        user_id: user,
        room_id: room,
        sdk_version: SDK_VERSION,
        report_time: Math.floor(Date.now() / 1000),
        metrics: Object.values(entries),
      });
    } catch (error) {
      tell(error);
    }
  }

  async function leave(which) {
    const left = watched.filter(which);
    watched = watched.filter((watch) => !left.includes(watch));
    await sample(left);
    if (watched.length) return;
    timer = clearInterval(timer);
    await box?.last();
    if (!watched.length) removeEventListener("pagehide", box?.beacon);
  }

  function tick() {
    sample(watched);
    leave(isOver);
  }

  try {
    box = outbox(new URL(url.replace(/\/*$/, "/report/metrics")), tell, holder);
  } catch {
    tell(`url: ${url} is none`);
  }

  Object.assign(holder, {
    token,
    watch(connection, options) {
      try {
        if (!box) return;
        connection.getTransceivers();
        const watch = { connection, memory: { slots: {} }, name: options?.name };
        watched = [...watched.filter((other) => other.connection !== connection), watch];
        timer ??= setInterval(tick, every);
        addEventListener("pagehide", box.beacon);
        read(watch);
      } catch (error) {
        tell(error);
      }
    },
    unwatch: (connection) => leave((watch) => watch.connection === connection),
    stop: () => leave(() => true),
  });
}

export class RoomPulse {
  constructor(options) {
    pulse(this, { ...options });
  }
}
