// See docs/browser-sdk.md. No method of RoomPulse throws.

export const SDK_VERSION = "roompulse.js/1.2.0";

const SHORTEST = 500; // ms
const SKEW = 250; // ms
const HEARD_FOR = 10_000; // ms
const MOST_WAITING = 100;
const TIMEOUT = 15_000; // ms
const LONGEST_WAIT = 30; // s
const MOVING = 15; // fps
const EMPTY = 0.006; // bits per pixel, beside 800 of a frame
const QUANTISER = { VP8: 127, VP9: 255, AV1: 255, H264: 51, H265: 51 }; // the coarsest

const text = (value) =>
  typeof value === "string" || typeof value === "bigint" || Number.isFinite(value) ? `${value}` : undefined;

function required(value, option) {
  const found = text(value);
  if (found !== undefined) return found;
  const given = Object(value) === value ? typeof value : String(value);
  throw new TypeError(`${option} must be a string or a number, not ${given}`);
}

/** A text to be shown: cut to `most` characters, so that a long one does not make the server refuse the report. */
const shown = (value, option, most) =>
  value == null ? undefined : [...required(value, option).trim()].slice(0, most).join("").trim() || undefined;

const figure = (value, most = 1e9, digits = 1) => (value >= 0 ? +Math.min(value, most).toFixed(digits) : undefined);

const grown = (pairs, name) => pairs.reduce((total, [now, then]) => total + now[name] - then[name], 0);

/** Whether the clock of getStats() was set between two samples; `asked` is when performance.now() saw each. */
function isSet(elapsed, asked, before) {
  if (!asked || !before) return false;
  return Math.max(asked[0] - before[1] - elapsed, elapsed - (asked[1] - before[0])) > SKEW;
}

function figures(slot, { all, asked, longest, off, pair, rtps, screen, send, source }) {
  const at = rtps[0].timestamp;
  const { before } = slot;
  const elapsed = at - before?.at;
  if (elapsed >= 0 && elapsed < SHORTEST) return;
  slot.before = { asked, at, off, rtps, source };
  if (!(elapsed > 0 && elapsed <= longest) || isSet(elapsed, asked, before.asked)) {
    slot.heard = {};
    slot.sent = undefined;
    return;
  }
  const [bytes, packets, coded] = send
    ? ["bytesSent", "packetsSent", "framesEncoded"]
    : ["bytesReceived", "packetsReceived", "framesDecoded"];
  const layers = rtps
    .map((now) => [now, before.rtps.find(({ ssrc }) => ssrc === now.ssrc)])
    .filter(([now, then]) => now[bytes] >= 0 && then?.[bytes] >= 0);
  const wentBack = ([now, then]) => [bytes, packets, coded].some((counter) => now[counter] < then[counter]);
  if (!layers.length || layers.some(wentBack)) return;
  const seconds = elapsed / 1000;
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
      if (!report || report.timestamp === last?.timestamp) continue;
      const share = (report.timestamp - then.timestamp) / (at - then.timestamp);
      const by = then.packetsSent + share * (now.packetsSent - then.packetsSent);
      slot.heard[now.ssrc] = { ...report, by };
      if (report.timestamp > last?.timestamp) {
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
    const frames = of(coded);
    const captured = Math.max(0, grown(sources, "frames")) || undefined;
    // Of a picture in spatial layers, framesEncoded counts each layer.
    const layered = send && (/^[LS][23]/.test(now.scalabilityMode) || frames > 1.25 * captured);
    const perSecond = now.framesPerSecond ?? captured / seconds;
    const rate = layered ? Math.min(perSecond, frames / seconds) : frames / seconds;
    const moves = captured / seconds || rate;
    const still = screen && moves < MOVING;
    // A camera that was turned off goes on as black frames.
    const bits = (8 * (of(bytes) - (of("retransmittedBytesReceived") || 0))) / (rate * seconds);
    const quantiser = of("qpSum") / frames;
    const few = (EMPTY * area(largest) + 800) * (quantiser && Math.abs(Math.log2(bits / slot.bits)) > 1 ? 4 : 1);
    const fine = Number.isNaN(quantiser) ? !send : quantiser < QUANTISER[base.codec] / 2;
    slot.bits = bits;
    if (off || before.off || (!screen && bits < few && fine)) return null;
    const broken = of(bytes) && (lost || of("framesReceived"));
    if (!frames && !(send ? now.active && slot.seen && moves : broken)) return null;
    // What came or went meanwhile is not slow, nor is a screen at rest; what went without a loss did not freeze.
    const flowing = (stat) => lost || stat.framesPerSecond >= rate / 2;
    const steady = !frames || (flowing(now) && flowing(then));
    const frozen = (counter) => (still || !flowing(now) ? undefined : figure(of(counter)));
    return {
      ...base,
      frame_rate: steady && !still ? figure(rate, 1000) : undefined,
      width: now.frameWidth,
      height: now.frameHeight,
      frames_dropped: figure(of("framesDropped")),
      freeze_count: frozen("freezeCount"),
      freeze_duration: frozen("totalFreezesDuration"),
      content: screen ? "screen" : "camera",
      limited_by: send ? limit() : undefined,
    };
  }

  /** Of simulcast, the layer that is held back is not always the one that is still sent. */
  function limit() {
    const reasons = rtps
      .filter(({ active }) => active !== false)
      .map((stat) => stat.qualityLimitationReason)
      .filter((reason) => /^(none|cpu|bandwidth|other)$/.test(reason));
    return reasons.find((reason) => reason !== "none") ?? reasons[0];
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

/** Where the media takes its way, without its addresses. */
function path(all, pair, { iceConnectionState }) {
  const local = all.find((stat) => stat.id === pair?.localCandidateId) ?? {};
  return {
    network: local.networkType,
    connection: {
      candidate_type: local.candidateType,
      protocol: local.relayProtocol ?? local.protocol,
      ice_state: iceConnectionState,
    },
  };
}

/** Names may be given as numbers, as users' ids often are. */
function named(name, ...about) {
  const given = typeof name === "function" ? name(...about) : name;
  const { user, stream } = text(given) === undefined ? (given ?? {}) : { user: given };
  return {
    user: user == null ? undefined : required(user, "the user that name() answers"),
    stream: stream == null ? undefined : required(stream, "the stream that name() answers"),
  };
}

/** Of a stream whose SSRC changed, getStats() may go on to have the old one. */
const newest = (rtps) =>
  rtps.reduce((one, other) =>
    other.lastPacketReceivedTimestamp > (one.lastPacketReceivedTimestamp ?? 0) ? other : one,
  );

/**
 * What is new since `memory`, at first { slots: {} }, was last handed in; `asked` is performance.now() before and after
 * the call of getStats(). A slot is a stream for as long as it keeps its place and its name.
 */
export function measure(stats, connection, memory, longest, name, asked) {
  const all = [...stats.values()];
  const chosen = all.map((stat) => stat.selectedCandidatePairId);
  const pair = all.find((stat) => stat.type === "candidate-pair" && (stat.selected || chosen.includes(stat.id)));
  const slots = {};
  const streams = [];
  for (const { mid, currentDirection, sender, receiver } of connection.getTransceivers()) {
    for (const direction of ["send", "recv"]) {
      const send = direction === "send";
      let rtps = all.filter((stat) => stat.mid === mid && stat.type === (send ? "outbound-rtp" : "inbound-rtp"));
      if (!rtps.length || !currentDirection?.includes(direction)) continue;
      if (!send) rtps = [newest(rtps)];
      const { kind, ssrc, contentType } = rtps[0];
      const { track } = send ? sender : receiver;
      const display = track?.getSettings?.().displaySurface || /detail|text/.test(track?.contentHint) || contentType;
      const given = named(name, track, { mid, ssrc, direction, kind });
      const user = send ? undefined : given.user;
      const stream = given.stream ?? (kind === "audio" ? "mic" : display ? "screen" : "camera");
      const last = memory.slots[direction + mid];
      const slot = last?.user === user && last?.stream === stream ? last : { direction, user, stream };
      slots[direction + mid] = slot;
      const found = figures(slot, {
        all,
        asked,
        longest,
        off: send && !(track?.enabled && !track.muted && track.readyState === "live"),
        pair: connection.connectionState === "connected" && pair,
        rtps,
        screen: stream.startsWith("screen"),
        send,
        source: send && all.find((stat) => stat.type === "media-source" && stat.trackIdentifier === track?.id),
      });
      if (found && slot.seen) streams.push({ slot, found });
    }
  }
  // A stream that is over is named once more: else its last figures would pass for the present.
  for (const [place, slot] of Object.entries(memory.slots)) {
    if (slot.seen && slots[place] !== slot) streams.push({ slot });
  }
  Object.assign(memory, { slots }, path(all, pair, connection));
  return streams;
}

const key = ({ direction, stream, user }) => JSON.stringify([direction, user, stream]);

/** The second stream of a name gets a number, and keeps it. */
function label(slots) {
  const used = new Set();
  for (const slot of slots.filter(({ seen }) => seen).sort((a, b) => !a.number - !b.number)) {
    slot.number ??= 1;
    while (used.has(key(slot) + slot.number)) slot.number++;
    used.add(key(slot) + slot.number);
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
    beacon(report) {
      if (report) queue = [...queue, report];
      if (holder.token === refused || (told && performance.now() < notBefore)) return;
      try {
        queue = queue.filter((report) => !navigator.sendBeacon(url, text(report)));
      } catch {}
    },
  };
}

const isOver = ({ connection }) => /closed|failed/.test(connection.connectionState);

function pulse(holder, options) {
  const { url, room, user, token, interval, roomName, userName, labels } = options;
  const { onError = ({ message }) => console.warn(message) } = options;
  const every = 1000 * (interval >= 1 ? interval : 5);
  let watched = [];
  let timer;
  let told;
  let present = false;
  let leaving = false;
  let hidden = false;

  function tell(problem) {
    if (told === `${problem}`) return;
    told = `${problem}`;
    try {
      if (problem) onError(new Error(`roompulse: ${problem}`));
    } catch {}
  }

  function attempt(make) {
    try {
      return make();
    } catch (error) {
      tell(error.message);
    }
  }

  const me = attempt(() => required(user, "user"));
  const place = attempt(() => required(room, "room"));
  const user_name = attempt(() => shown(userName, "userName", 128));
  const room_name = attempt(() => shown(roomName, "roomName", 128));
  const about = attempt(() =>
    Object.fromEntries(Object.entries(labels ?? {}).map(([name, value]) => [name, shown(value, name, 64)])),
  );
  let box;
  try {
    const target = new URL(`${url}`.replace(/\/*$/, "/report/metrics"));
    if (me !== undefined && place !== undefined) box = outbox(target, tell, holder);
  } catch {
    tell(`url: ${text(url) ?? typeof url} is not a URL`);
  }

  const report = (metrics, events) => ({
    user_id: me,
    room_id: place,
    room_name,
    sdk_version: SDK_VERSION,
    report_time: Math.floor(Date.now() / 1000),
    labels: Object.keys(about ?? {}).length ? about : undefined,
    metrics,
    events,
  });

  /** The report says that the user leaves; it is made once. */
  function farewell(metrics) {
    leaving = present = false;
    return report(metrics, [{ type: "left", time: Math.floor(Date.now() / 1000) }]);
  }

  async function read({ connection, memory, name }) {
    try {
      const late = (_, reject) => setTimeout(reject, every, "getStats() does not answer");
      const begun = performance.now();
      const stats = await Promise.race([connection.getStats(), new Promise(late)]);
      return measure(stats, connection, memory, 2 * every, name, [begun, performance.now()]);
    } catch (error) {
      if (!isOver({ connection })) tell(error);
      return [];
    }
  }

  function entriesOf(streams, memories) {
    const memory = memories.find(({ connection }) => connection?.candidate_type) ?? memories[0] ?? {};
    const entries = Object.create(null);
    const { connection } = memory;
    entries[me] = { user_id: me, user_name, streams: [], device: device(memory.network), connection };
    const current = new Set(streams.filter(({ found }) => found).map(({ slot }) => key(slot) + slot.id));
    for (const { slot, found } of streams) {
      if (!slot.id || (!found && current.has(key(slot) + slot.id))) continue;
      const whose = slot.user ?? me;
      entries[whose] ??= { user_id: whose, streams: [] };
      entries[whose].streams.push({ stream_id: slot.id, direction: slot.direction, ...found });
    }
    return Object.values(entries);
  }

  async function sample(watches, last) {
    try {
      const open = watches.filter((watch) => !isOver(watch));
      if (!open.length && !last) return;
      const streams = (await Promise.all(open.map(read))).flat();
      if (last ? !leaving : !present) return;
      label([...new Set([...watched, ...open])].flatMap(({ memory }) => Object.values(memory.slots)));
      const entries = entriesOf(streams, open.map(({ memory }) => memory));
      box.push(last ? farewell(entries) : report(entries));
    } catch (error) {
      tell(error);
    }
  }

  async function leave(which, last) {
    const left = watched.filter(which);
    watched = watched.filter((watch) => !left.includes(watch));
    await sample(left, last);
    if (watched.length) return;
    timer = clearInterval(timer);
    await box?.last();
    if (!watched.length) listen(removeEventListener);
  }

  function tick() {
    sample(watched);
    leave(isOver);
  }

  /** Whatever waits when the page goes, what stop() has not measured yet included. */
  function turn({ type }) {
    hidden = type === "pagehide";
    if (hidden) box.beacon(leaving && farewell([]));
  }

  function listen(how) {
    how("pagehide", turn);
    how("pageshow", turn);
  }

  Object.assign(holder, {
    token,
    watch(connection, options) {
      try {
        if (!box) return;
        connection.getTransceivers();
        const watch = { connection, memory: { slots: {} }, name: options?.name };
        watched = [...watched.filter((other) => other.connection !== connection), watch];
        present = true;
        leaving = false;
        timer ??= setInterval(tick, every);
        listen(addEventListener);
        read(watch);
      } catch (error) {
        tell(error);
      }
    },
    unwatch: (connection) => leave((watch) => watch.connection === connection),
    stop() {
      leaving = present;
      if (leaving) listen(addEventListener);
      if (hidden) turn({ type: "pagehide" });
      return leave(() => true, true);
    },
  });
}

export class RoomPulse {
  constructor(options) {
    pulse(this, { ...options });
  }
}
