/*! roompulse.js, MIT licence. Its source is roompulse.src.js. */
// `make sdk` makes roompulse.js of this. See docs/browser-sdk.md. No method of RoomPulse throws.

export const SDK_VERSION = "roompulse.js/1.3.0";

const SHORTEST = 500; // ms
const SKEW = 250; // ms
const HEARD_FOR = 10_000; // ms
const UNNAMED_AFTER = 10_000; // ms
const LOOK = 1_000; // ms
const MOST_WAITING = 100;
const MOST_EVENTS = 100; // of a report
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
    // A camera that was turned off continues as black frames.
    const bits = (8 * (of(bytes) - (of("retransmittedBytesReceived") || 0))) / (rate * seconds);
    const quantiser = of("qpSum") / frames;
    const few = (EMPTY * area(largest) + 800) * (quantiser && Math.abs(Math.log2(bits / slot.bits)) > 1 ? 4 : 1);
    const fine = Number.isNaN(quantiser) ? !send : quantiser < QUANTISER[base.codec] / 2;
    slot.bits = bits;
    if (off || before.off || (!screen && bits < few && fine)) return null;
    const broken = of(bytes) && (lost || of("framesReceived"));
    if (!frames && !(send ? now.active && slot.seen && moves : broken)) return null;
    // A picture that started or ended meanwhile is not slow, nor is a still screen; an end without loss is no freeze.
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

const isOn = (track) => Boolean(track?.enabled && !track.muted && track.readyState === "live");

function streamOf(track, kind, contentType) {
  if (kind === "audio") return "mic";
  return track?.getSettings?.().displaySurface || /detail|text/.test(track?.contentHint) || contentType
    ? "screen"
    : "camera";
}

/** Names may be given as numbers, as users' ids often are. */
function named(name, ...about) {
  const given = typeof name === "function" ? name(...about) : name;
  if (given === false) return { waits: true };
  const { user, stream } = text(given) === undefined ? (given ?? {}) : { user: given };
  return {
    user: user == null ? undefined : required(user, "the user that name() answers"),
    stream: stream == null ? undefined : required(stream, "the stream that name() answers"),
  };
}

/** After a change of SSRC, getStats() may still have the old stream. */
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
      const { contentType, kind, ssrc, timestamp } = rtps[0];
      const { track } = send ? sender : receiver;
      const given = named(name, track, { mid, ssrc, direction, kind });
      const user = send ? undefined : given.user;
      const stream = given.stream ?? streamOf(track, kind, contentType);
      const last = memory.slots[direction + mid];
      const since = given.waits ? (last?.since ?? timestamp) : undefined;
      const waits = !send && given.waits && timestamp - since < UNNAMED_AFTER;
      const same = last && (last.waits || (last.user === user && last.stream === stream));
      const slot = Object.assign(same ? last : { direction }, { since, stream, user, waits });
      slots[direction + mid] = slot;
      const found = figures(slot, {
        all,
        asked,
        longest,
        off: send && !isOn(track),
        pair: (connection.connectionState ?? "connected") === "connected" && pair,
        rtps,
        screen: stream.startsWith("screen"),
        send,
        source: send && all.find((stat) => stat.type === "media-source" && stat.trackIdentifier === track?.id),
      });
      if (found && slot.seen && !waits) streams.push({ slot, found });
    }
  }
  // A stream that is over is named once more: else its last figures would pass for the present.
  for (const [place, slot] of Object.entries(memory.slots)) {
    if (slot.seen && !slot.waits && slots[place] !== slot) streams.push({ slot });
  }
  Object.assign(memory, { slots }, path(all, pair, connection));
  return streams;
}

const key = ({ direction, stream, user }) => JSON.stringify([direction, user, stream]);

/** The second stream of a name gets a number, and keeps it. */
function label(slots) {
  const used = new Set();
  for (const slot of slots.filter(({ seen, waits }) => seen && !waits).sort((a, b) => !a.number - !b.number)) {
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

  const tokens = new Map(); // a room's, kept for what is still to be posted about a room before

  function tokenOf({ room_id }) {
    if (room_id === holder.room) tokens.set(room_id, holder.token);
    return tokens.get(room_id);
  }

  const text = (report) => JSON.stringify({ ...report, token: tokenOf(report) });

  async function post(report) {
    told = 0;
    const token = tokenOf(report);
    try {
      const response = await fetch(url, { method: "POST", body: text(report), signal: AbortSignal.timeout(TIMEOUT) });
      const answer = await response.json().catch(() => null);
      if (answer?.code === 0) {
        if (failures) tell((failures = 0));
        return 0;
      }
      tell(`${url} answers ${response.status}: ${answer?.message ?? "no roompulse"}`);
      if (response.status === 401 && report.room_id === holder.room) refused = token;
      else if (response.status < 500 && !/408|429/.test(response.status)) return 0;
      told = Math.min(3600, response.headers.get("Retry-After"));
    } catch (error) {
      tell(`${url} cannot be reached: ${error.message}`);
    }
    return (told || Math.min(LONGEST_WAIT, 2 ** failures++)) * (1 + Math.random() / 2);
  }

  async function run() {
    // No other token will come for a room before.
    queue = queue.filter((report) => report.room_id === holder.room || tokenOf(report) !== refused);
    while (queue.length && performance.now() >= notBefore && tokenOf(queue[0]) !== refused) {
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

const now = () => Math.floor(Date.now() / 1000);

const FROM_WHAT = "from() needs a MediaStreamTrack or a MediaStream";

const SOURCES = { camera: "camera", mic: "microphone", screen: "screen share" };

/** What `watched` connections send from, by its name in SOURCES: of each the first that is on. */
function sourcesOf(watched) {
  const found = {};
  for (const { connection, memory } of watched) {
    for (const { mid, sender } of connection.getTransceivers()) {
      const { track } = sender;
      if (!isOn(track)) continue;
      const device = track.getSettings?.().deviceId;
      found[streamOf(track, track.kind)] ??= { device, stream: memory.slots[`send${mid}`]?.id };
    }
  }
  return found;
}

async function countDevices() {
  const all = await navigator.mediaDevices.enumerateDevices();
  const count = (kind) => all.filter((device) => device.kind === kind).length;
  return `cameras: ${count("videoinput")}, microphones: ${count("audioinput")}, speakers: ${count("audiooutput")}`;
}

/** Notes events at this user's end, until a report carries them. */
function journal() {
  let events = [];
  let sources;
  let devices;

  function note(type, detail, stream_id) {
    const event = { type, time: now(), stream_id, detail };
    const same = JSON.stringify(event);
    if (events.some((other) => JSON.stringify(other) === same)) return; // as of several connections
    events = [...events, event].slice(-MOST_EVENTS);
  }

  function noteChange(what, before, after) {
    if (before && after && before !== after) note(`${what} changed`, `${before} → ${after}`);
    return after ?? before;
  }

  async function onDevices() {
    const before = devices;
    devices = await countDevices().catch(() => before);
    if (devices !== before) note("devices changed", devices);
  }

  return {
    pending: () => events.length > 0,
    take: () => events.splice(0),

    /** Note what is turned on, off or exchanged from the first report on; sources on by then make no event. */
    look(watched, first) {
      if (!sources && !first) return;
      let found;
      try {
        found = sourcesOf(watched);
      } catch {
        return; // which the next sample tells
      }
      for (const [name, words] of Object.entries(sources ? SOURCES : {})) {
        const [before, after] = [sources[name], found[name]];
        if (!before !== !after) note(`${words} ${after ? "on" : "off"}`, undefined, (after ?? before).stream);
        else if (before?.device !== after?.device) note(`${words} changed`, undefined, after.stream);
      }
      sources = found;
    },

    forget: () => (sources = undefined),

    path(memory) {
      const { candidate_type, protocol } = memory.connection;
      memory.way = noteChange("route", memory.way, candidate_type && `${candidate_type} ${protocol}`);
      memory.net = noteChange("network", memory.net, memory.network);
    },

    followPage(signal) {
      for (const type of ["online", "offline"]) addEventListener(type, () => note(type), { signal });
      const onVisible = () => note(document.hidden ? "tab hidden" : "tab shown");
      document.addEventListener("visibilitychange", onVisible, { signal });
      navigator.mediaDevices?.addEventListener("devicechange", onDevices, { signal });
    },

    followIce(connection, whose, signal) {
      const fragment = () => connection.localDescription?.sdp.match(/a=ice-ufrag:(.*)/)?.[1];
      let broken = false;
      let last = fragment();
      const onState = () => {
        const [, bad, good] = /(failed|disconnected)|(^connected|completed)/.exec(connection.iceConnectionState) ?? [];
        if (bad || (good && broken)) note(`ICE ${bad ?? "connected again"}`, whose);
        broken = Boolean(bad || (broken && !good));
      };
      const onSignal = () => {
        const before = last;
        last = fragment() ?? before;
        if (before && last !== before) note("ICE restarted", whose);
      };
      connection.addEventListener?.("iceconnectionstatechange", onState, { signal });
      connection.addEventListener?.("signalingstatechange", onSignal, { signal });
    },
  };
}

/** Pass each new RTCPeerConnection to `made`; returns a function that ends that, or throws. */
function wrapConstructor(made) {
  const native = globalThis.RTCPeerConnection;
  let ended = false;
  const wrapped = new Proxy(native, {
    construct(target, options, asked) {
      const connection = Reflect.construct(target, options, asked === wrapped ? target : asked);
      if (!ended) made(connection);
      return connection;
    },
  });
  globalThis.RTCPeerConnection = wrapped;
  if (globalThis.RTCPeerConnection !== wrapped) throw new TypeError("RTCPeerConnection cannot be replaced");
  return () => {
    ended = true;
    // Where another has wrapped it since, it stays below that, and does nothing.
    if (globalThis.RTCPeerConnection === wrapped) globalThis.RTCPeerConnection = native;
  };
}

function pulse(holder, options) {
  const { url, room, user, token, interval, roomName, userName, labels } = options;
  const { onError = ({ message }) => console.warn(message) } = options;
  const every = 1000 * (interval >= 1 ? interval : 5);
  const { followIce, followPage, forget, look, path, pending, take } = journal();
  const senders = new WeakMap(); // of tracks and streams, as from() was told
  const unwanted = new WeakSet(); // connections that are not watched again by themselves
  let watched = [];
  let timers = [];
  let page; // AbortController of the listeners
  let unwrap;
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
  let place = attempt(() => required(room, "room"));
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

  const report = (metrics, events, room_id = place) => ({
    user_id: me,
    room_id,
    room_name,
    sdk_version: SDK_VERSION,
    report_time: now(),
    labels: Object.keys(about ?? {}).length ? about : undefined,
    metrics,
    events: events.length ? events : undefined,
  });

  const left = () => ({ type: "left", time: now() });

  /** The report says that the user leaves; it is made once. */
  function farewell(metrics) {
    leaving = present = false;
    return report(metrics, [...take(), left()]);
  }

  const whose = ({ name }) =>
    function (track, info) {
      return senders.get(track) ?? (typeof name === "function" ? name(track, info) : (name ?? false));
    };

  async function read(watch) {
    const { connection, memory } = watch;
    try {
      const late = (_, reject) => setTimeout(reject, every, "getStats() does not answer");
      const begun = performance.now();
      const stats = await Promise.race([connection.getStats(), new Promise(late)]);
      const found = measure(stats, connection, memory, 2 * every, whose(watch), [begun, performance.now()]);
      path(memory);
      return found;
    } catch (error) {
      if (!isOver(watch)) tell(error);
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

  async function sample(watches, last, room_id) {
    try {
      const open = watches.filter((watch) => !isOver(watch));
      // Of a connection that failed when it was the only one, there are still events.
      if (!open.length && !last && (watched.length || !pending())) return;
      const streams = (await Promise.all(open.map(read))).flat();
      if (last ? !leaving : !present) return;
      label([...new Set([...watched, ...open])].flatMap(({ memory }) => Object.values(memory.slots)));
      const entries = entriesOf(streams, open.map(({ memory }) => memory));
      box.push(last ? farewell(entries) : report(entries, take(), room_id));
    } catch (error) {
      tell(error);
    }
  }

  async function leave(which, last) {
    const gone = watched.filter(which);
    watched = watched.filter((watch) => !gone.includes(watch));
    for (const watch of gone) {
      watch.over.abort();
      if (!isOver(watch)) unwanted.add(watch.connection);
    }
    await sample(gone, last);
    if (watched.length) return;
    for (const timer of timers) clearInterval(timer);
    timers = [];
    forget();
    await box?.last();
    if (!watched.length) deafen();
  }

  async function move(before) {
    if (!present) return;
    await sample(watched, false, before);
    box.push(report([], [left()], before));
  }

  function tick() {
    look(watched, true);
    sample(watched);
    leave(isOver);
  }

  /** All waiting reports when the page is left, including those that stop() has not measured yet. */
  function turn({ type }) {
    hidden = type === "pagehide";
    if (hidden) box.beacon(leaving ? farewell([]) : present && pending() && report([], take()));
  }

  function listen() {
    if (page) return;
    page = new AbortController();
    const { signal } = page;
    addEventListener("pagehide", turn, { signal });
    addEventListener("pageshow", turn, { signal });
    followPage(signal);
  }

  function deafen() {
    page?.abort();
    page = undefined;
  }

  /** A connection is watched once it has media, and again when it comes back. */
  function discover(connection) {
    const consider = () =>
      attempt(() => {
        const known = unwanted.has(connection) || watched.some((watch) => watch.connection === connection);
        if (unwrap && !known && !isOver({ connection }) && connection.getTransceivers().length) holder.watch(connection);
      });
    attempt(() => {
      for (const type of ["signalingstatechange", "connectionstatechange"]) connection.addEventListener(type, consider);
    });
  }

  Object.defineProperty(holder, "room", {
    get: () => place,
    set(value) {
      const before = place;
      place = attempt(() => required(value, "room")) ?? before;
      if (place !== before) move(before);
    },
  });

  Object.assign(holder, {
    token,
    watch(connection, options) {
      try {
        if (!box) return;
        const methods = [connection?.getStats, connection?.getTransceivers];
        if (methods.some((method) => typeof method !== "function")) {
          throw new TypeError("watch() needs getStats() and getTransceivers()");
        }
        const watch = { connection, memory: { slots: {} }, name: options?.name, over: new AbortController() };
        watched.find((other) => other.connection === connection)?.over.abort();
        watched = [...watched.filter((other) => other.connection !== connection), watch];
        unwanted.delete(connection);
        present = true;
        leaving = false;
        if (!timers.length) timers = [setInterval(tick, every), setInterval(() => look(watched), LOOK)];
        listen();
        followIce(connection, text(watch.name), watch.over.signal);
        read(watch);
      } catch (error) {
        tell(error);
      }
    },
    unwatch: (connection) => leave((watch) => watch.connection === connection),
    unwatchAll() {
      attempt(() => unwrap?.());
      unwrap = undefined;
      return leave(() => true);
    },
    from(media, user, stream) {
      attempt(() => {
        if (!media?.getTracks && !media?.getSettings) throw new TypeError(FROM_WHAT);
        const given = { user: required(user, "the user of from()"), stream };
        if (media.getTracks && !senders.has(media)) {
          media.addEventListener("addtrack", ({ track }) => senders.set(track, senders.get(media)));
        }
        for (const one of [media, ...(media.getTracks?.() ?? [])]) senders.set(one, given);
      });
    },
    stop() {
      leaving = present;
      if (leaving) listen();
      if (hidden) turn({ type: "pagehide" });
      return leave(() => true, true);
    },
  });

  return () => {
    try {
      if (box) unwrap = wrapConstructor(discover);
    } catch (error) {
      tell(`watchAll(): ${error.message}`);
    }
  };
}

export class RoomPulse {
  constructor(options) {
    pulse(this, { ...options });
  }

  static watchAll(options) {
    const one = Object.create(RoomPulse.prototype);
    pulse(one, { ...options })();
    return one;
  }
}
