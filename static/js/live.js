// Keeps a page live: opens its stream while the page is visible, shows when the server is disconnected, and lets the
// operator pause.
// What the page shows comes as HTML from the server; no metric is rated here.
//
// htmx reads the stream and swaps the sections in it. Streams are opened here alone (htmx's own `reconnect` and
// `pauseOnBackground` are off, see base.html): so there is never more than one, however one ends or is rejected.

import { isAlarmOn, tellOfAlerts } from "./alarm.js";
import { age, behind, duration, freeze, isFrozen, setServerTime, setText, showTimes, thaw } from "./clock.js";
import { streamBy } from "./shared_stream.js";
import { checkDenied, isDenied, showSignedOut } from "./signed_out.js";
import { showInTab } from "./tab.js";

const CONNECTING_AT_MOST = 5_000; // after that the page counts as disconnected
const CONNECT_TIMEOUT = 10_000;
const RETRY_MIN = 500;
const RETRY_MAX = 4_000;

const WORDS = {
  connecting: "Connecting",
  live: "Live",
  paused: "Paused",
  background: "In background",
  lost: "Disconnected",
  refused: "Not live",
};

const AT_ONCE = new Set(["#notice", "#alerts-firing"]); // on a paused page too: what is about the server, and alerts

const REASONS = {
  429: "too many pages are open",
  503: "the server is busy",
};

const stream = document.getElementById("stream");
const pill = document.getElementById("connection");
const word = document.getElementById("connection-word");
const detail = document.getElementById("connection-detail");
const pause = document.getElementById("pause");

const HEARTBEAT = Number(stream.dataset.heartbeat) * 1_000; // between the server's `ping` events
const LOST_AFTER = 2 * HEARTBEAT + 2_000; // without two heartbeats the page counts as disconnected

let state = "";
let stateSince = 0;
let reason = ""; // why the server rejected the request for the stream
let connection = null; // htmx's, while a stream is open
let requested = false; // a request for the stream waits for its response
let url = ""; // that of the stream which is open or requested
let failures = 0;
let retry = 0;
let slowdown = 0; // seconds between two updates while the server is busy, else 0
let receivedAt = Date.now(); // the last message, by this machine's clock
let quietSince = receivedAt; // the same, or when the stream was opened
const newest = new Map(); // the state of each section
const held = new Map(); // those that are not shown yet, while the page is paused
const fetchStream = streamBy(new URL(stream.dataset.shared, document.baseURI).href);
const tabs = new BroadcastChannel("roompulse"); // tabs of this browser notify each other that they are live

function setState(next) {
  if (state !== next) {
    state = next;
    stateSince = Date.now();
  }
  show();
}

// A paused page stays paused through any state of its stream, but a disconnection is shown first.
function show() {
  showTimes();
  const shown = isFrozen() && (state === "live" || state === "connecting") ? "paused" : state;
  if (shown !== "connecting") showInTab(shown === "live");
  if (state === "signed-out") {
    showSignedOut();
    return;
  }
  // A page that is up to date may show a room or a user that is not live: its sections name what it is instead.
  const notLive = shown === "live" && document.querySelector("main [data-not-live]")?.dataset.notLive;
  pill.dataset.state = notLive ? "waiting" : shown;
  pill.toggleAttribute("data-busy", shown === "live" && slowdown > 0);
  setText(word, notLive || WORDS[shown]);
  document.body.classList.toggle("out-of-date", shown === "lost" || shown === "refused");
  const now = Date.now();
  const lastUpdate = `last update ${age((now - receivedAt) / 1_000)}`;
  const details = {
    live: slowdown ? `updates every ${slowdown} s: busy` : "",
    lost: lastUpdate,
    refused: `${reason}, ${lastUpdate}`,
    connecting: now - receivedAt < 2_000 ? "" : lastUpdate,
    paused: `${duration(behind())} behind`,
  };
  setText(detail, details[shown] ?? "");
}

// Which stream is needed: a page in the background needs only the alerts, if it notifies of them.
function wantedUrl() {
  if (!document.hidden) return stream.dataset.url;
  return isAlarmOn() ? stream.dataset.alarm : "";
}

function open() {
  clearTimeout(retry);
  if (!wantedUrl() || connection || requested) return;
  requested = true;
  url = wantedUrl();
  htmx.ajax("GET", url, { source: stream, timeout: CONNECT_TIMEOUT });
}

function openLater(atLeast = 0) {
  clearTimeout(retry);
  const wait = Math.max(atLeast, Math.min(RETRY_MAX, RETRY_MIN * 2 ** failures++));
  retry = setTimeout(open, wait * (1 + Math.random() / 2)); // spread: a thousand pages come back at once
}

function closeStream() {
  clearTimeout(retry);
  if (connection) connection.abortController.abort();
  else if (requested) htmx.trigger(stream, "htmx:abort");
}

stream.addEventListener("htmx:before:request", ({ detail }) => {
  // htmx makes an absolute path of the URL; views are named relative to the root of the application.
  detail.ctx.fetch = (_, request) => fetchStream(url, request);
});

// A stream opens: hx-sse has its response and is about to read it.
stream.addEventListener("htmx:sse:before:connection", (event) => {
  connection = event.detail.connection;
  slowdown = 0;
  quietSince = Date.now();
  if (url !== wantedUrl()) event.preventDefault();
});

// The stream is closed: by the server, by the network, or by closeStream.
stream.addEventListener("htmx:sse:close", () => {
  connection = null;
  if (!wantedUrl() || state === "signed-out") return;
  if (state === "live") setState("connecting");
  openLater();
});

// A request is over: with a stream (see above), with another response, or without one.
stream.addEventListener("htmx:finally:request", (event) => {
  requested = false;
  if (connection || !wantedUrl()) return;
  const response = event.detail.ctx.response;
  if (isDenied(response)) return; // see page:signed-out
  if (response) reason = REASONS[response.status] ?? `the server answered ${response.status}`;
  if (!document.hidden) setState(response ? "refused" : "lost");
  openLater(Number(response?.headers.get("Retry-After")) * 1_000 || 0);
});

stream.addEventListener("htmx:sse:before:message", (event) => {
  if (state === "signed-out") {
    location.reload(); // an operator has signed in: the page needs that name, and new form tokens
    return;
  }
  receivedAt = quietSince = Date.now();
  failures = 0;
  if (!document.hidden) {
    if (state !== "live") tabs.postMessage("live");
    setState("live");
  }
  hold(event);
});

stream.addEventListener("ping", (event) => {
  setServerTime(Number(event.detail.data));
  show();
});

stream.addEventListener("interval", (event) => {
  slowdown = Number(event.detail.data);
  show();
});

stream.addEventListener("bye", () => setState("lost"));

// A signed-out page tries again when it becomes visible, or another tab is live.
function signOut() {
  setState("signed-out");
  closeStream();
}

stream.addEventListener("signed-out", signOut);
document.addEventListener("page:signed-out", signOut);
document.addEventListener("htmx:finally:request", (event) => checkDenied(event.detail.ctx.response));
tabs.addEventListener("message", () => {
  if (state === "signed-out" || state === "lost") open();
});

// The stream stays open while the page is paused, so that a disconnection is noticed. Each message is the whole state of
// a section, so the newest one of each is enough to resume.
function hold(event) {
  const { data, event: name } = event.detail.message;
  if (name) return; // an event for this script, see above
  const [, section] = data.match(/hx-target="([^"]*)"/);
  if (newest.get(section) === data) {
    event.preventDefault(); // sent again, since another window joined the connection
    return;
  }
  newest.set(section, data);
  held.delete(section);
  if (!isFrozen() || AT_ONCE.has(section)) return;
  held.set(section, data);
  event.preventDefault();
}

async function resume() {
  thaw();
  show();
  for (const [section, text] of held) {
    held.delete(section);
    await htmx.swap({ text, sourceElement: stream, swap: "none" });
  }
  document.dispatchEvent(new Event("page:resume"));
}

pause.addEventListener("click", () => {
  pause.setAttribute("aria-pressed", String(!isFrozen()));
  if (isFrozen()) {
    resume();
  } else {
    freeze();
    show();
  }
});

// A swap brings times as the server writes them, and may move the row that has the focus: both are corrected before the
// next paint.
let focused = null;
document.addEventListener("htmx:before:swap", () => {
  focused = document.activeElement;
});
document.addEventListener("htmx:after:swap", () => {
  if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
  focused = null;
  tellOfAlerts();
  show();
  showAddress();
});

// A tab in the background closes its stream: the server renders nothing for it.
document.addEventListener("visibilitychange", () => {
  if (state === "signed-out") {
    open();
  } else if (document.hidden) {
    closeStream();
    setState("background");
    open();
  } else {
    failures = 0;
    setState("connecting");
    if (connection && url !== wantedUrl()) closeStream();
    open();
  }
});

// The worker that reads the streams of all windows learns by this alone that a page is left for another one.
window.addEventListener("pagehide", closeStream);

function tick() {
  if (!wantedUrl()) return;
  const now = Date.now();
  receivedAt = Math.min(receivedAt, now); // a clock that is set back must not hide a disconnection
  quietSince = Math.min(quietSince, now);
  if (connection && now - quietSince > LOST_AFTER) {
    if (!document.hidden) setState("lost");
    closeStream();
  } else if (state === "connecting" && now - stateSince > CONNECTING_AT_MOST) {
    setState("lost");
  }
  show();
}

function showAddress() {
  for (const example of document.querySelectorAll("[data-example]")) {
    setText(example, example.textContent.replace("http://localhost:8180", document.baseURI.replace(/\/$/, "")));
  }
}

// On a phone wide tables are folded until they are opened. A swap leaves open what is open (see base.html).
function openTarget() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
}

if (matchMedia("(max-width: 720px)").matches) {
  for (const wide of document.querySelectorAll("[data-fold-on-a-phone]")) wide.open = false;
}
window.addEventListener("hashchange", openTarget);
openTarget();

showAddress();
setServerTime(Number(pill.dataset.now));
setState(document.hidden ? "background" : "connecting");
setInterval(tick, 1_000);
tellOfAlerts();
open();
