// Keeps a page live: opens its stream while the page is looked at, says when the server is lost, and lets the operator
// hold the page still.
// What the page shows comes as HTML from the server; no figure is judged here.
//
// htmx reads the stream and swaps what it brings. When to open one is decided here alone (htmx's own `reconnect` and
// `pauseOnBackground` are off, see base.html): so there is never more than one, whatever ends or refuses it.

import { age, behind, duration, freeze, isFrozen, setServerTime, setText, showTimes, thaw } from "./clock.js";
import { streamBy } from "./shared_stream.js";
import { checkDenied, isDenied, showSignedOut } from "./signed_out.js";
import { showInTab } from "./tab.js";

const PATIENCE = 5_000; // connecting for longer than this is no connecting either
const CONNECT_TIMEOUT = 10_000;
const RETRY_MIN = 500;
const RETRY_MAX = 4_000;

const WORDS = {
  connecting: "Connecting",
  live: "Live",
  paused: "Paused",
  background: "In the background",
  lost: "Server lost",
  refused: "Not live",
};

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
const LOST_AFTER = 2 * HEARTBEAT + 2_000; // silence of two heartbeats is no silence but a lost server

let state = "";
let stateSince = 0;
let reason = ""; // why the server refused the stream
let connection = null; // htmx's, while a stream is open
let requested = false; // a stream was asked for, and the answer is awaited
let failures = 0;
let retry = 0;
let heardAt = Date.now(); // the last message, by this machine's clock
let quietSince = heardAt; // the same, or when the stream was opened
const newest = new Map(); // state of each section
const held = new Map(); // those of them that are not shown, while the page is paused
const fetchStream = streamBy(stream.dataset.shared);
const tabs = new BroadcastChannel("roompulse"); // those of this browser tell each other that they are live

function setState(next) {
  if (state !== next) {
    state = next;
    stateSince = Date.now();
  }
  show();
}

// The page is paused whatever becomes of its stream, but a lost server is the greater news.
function show() {
  showTimes();
  const shown = isFrozen() && (state === "live" || state === "connecting") ? "paused" : state;
  if (shown !== "connecting") showInTab(shown === "live");
  if (state === "signed-out") {
    showSignedOut();
    return;
  }
  pill.dataset.state = shown;
  setText(word, WORDS[shown]);
  document.body.classList.toggle("out-of-date", shown === "lost" || shown === "refused");
  const now = Date.now();
  const heard = `last heard ${age((now - heardAt) / 1_000)}`;
  const details = {
    lost: heard,
    refused: `${reason}, ${heard}`,
    connecting: now - heardAt < 2_000 ? "" : heard,
    paused: `${duration(behind())} behind`,
  };
  setText(detail, details[shown] ?? "");
}

function open() {
  clearTimeout(retry);
  if (document.hidden || connection || requested) return;
  requested = true;
  htmx.ajax("GET", stream.dataset.url, { source: stream, timeout: CONNECT_TIMEOUT });
}

function openLater(atLeast = 0) {
  clearTimeout(retry);
  const wait = Math.max(atLeast, Math.min(RETRY_MAX, RETRY_MIN * 2 ** failures++));
  retry = setTimeout(open, wait * (1 + Math.random() / 2)); // spread: a thousand pages come back at once
}

function letGo() {
  clearTimeout(retry);
  if (connection) connection.abortController.abort();
  else if (requested) htmx.trigger(stream, "htmx:abort");
}

stream.addEventListener("htmx:before:request", ({ detail }) => {
  detail.ctx.fetch = fetchStream;
});

// There is a stream: hx-sse got an answer and is about to read it.
stream.addEventListener("htmx:sse:before:connection", (event) => {
  connection = event.detail.connection;
  quietSince = Date.now();
  if (document.hidden) event.preventDefault();
});

// There is none any more: the server ended it, the network broke it, or letGo did.
stream.addEventListener("htmx:sse:close", () => {
  connection = null;
  if (document.hidden || state === "signed-out") return;
  if (state === "live") setState("connecting");
  openLater();
});

// A request is over: with a stream (see above), with another answer, or with none.
stream.addEventListener("htmx:finally:request", (event) => {
  requested = false;
  if (connection || document.hidden) return;
  const response = event.detail.ctx.response;
  if (isDenied(response)) return; // see page:signed-out
  if (response) reason = REASONS[response.status] ?? `the server answered ${response.status}`;
  setState(response ? "refused" : "lost");
  openLater(Number(response?.headers.get("Retry-After")) * 1_000 || 0);
});

stream.addEventListener("htmx:sse:before:message", (event) => {
  if (state === "signed-out") {
    location.reload(); // somebody has signed in, whose name and forms the page is to have
    return;
  }
  heardAt = quietSince = Date.now();
  failures = 0;
  if (state !== "live") tabs.postMessage("live");
  setState("live");
  hold(event);
});

stream.addEventListener("ping", (event) => {
  setServerTime(Number(event.detail.data));
  show();
});

stream.addEventListener("bye", () => setState("lost"));

// A page that is signed out does not try again by itself, but when it is looked at, or another tab is signed in.
function signOut() {
  setState("signed-out");
  letGo();
}

stream.addEventListener("signed-out", signOut);
document.addEventListener("page:signed-out", signOut);
document.addEventListener("htmx:finally:request", (event) => checkDenied(event.detail.ctx.response));
tabs.addEventListener("message", () => {
  if (state === "signed-out" || state === "lost") open();
});

// The stream stays open while the page is paused, or nobody would hear that the server is lost. What it brings is the
// whole state of a section, so the newest is all that is needed to go on.
function hold(event) {
  const { data, event: name } = event.detail.message;
  if (name) return; // an event for this script, see above
  const [, section] = data.match(/hx-target="([^"]*)"/);
  if (newest.get(section) === data) {
    event.preventDefault(); // sent again since another window joined the connection
    return;
  }
  newest.set(section, data);
  held.delete(section);
  if (!isFrozen() || section === "#notice") return; // no news of the room, but about the server
  held.set(section, data);
  event.preventDefault();
}

async function goOn() {
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
    goOn();
  } else {
    freeze();
    show();
  }
});

// Swaps bring times as the server writes them, and may move the row that has the focus: both are put right before
// anybody sees it.
let focused = null;
document.addEventListener("htmx:before:swap", () => {
  focused = document.activeElement;
});
document.addEventListener("htmx:after:swap", () => {
  if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
  focused = null;
  showTimes();
  showAddress();
  showInTab(state === "live" && !isFrozen());
});

// Nobody looks at a tab in the background, so it lets go of its stream.
document.addEventListener("visibilitychange", () => {
  if (state === "signed-out") {
    open();
  } else if (document.hidden) {
    letGo();
    setState("background");
  } else {
    failures = 0;
    setState("connecting");
    open();
  }
});

// The worker that reads the stream for all windows learns by this alone that a page is left for another one.
window.addEventListener("pagehide", letGo);

function tick() {
  if (document.hidden) return;
  const now = Date.now();
  heardAt = Math.min(heardAt, now); // a clock that is set back must not hide that the server is lost
  quietSince = Math.min(quietSince, now);
  if (connection && now - quietSince > LOST_AFTER) {
    setState("lost");
    letGo();
  } else if (state === "connecting" && now - stateSince > PATIENCE) {
    setState("lost");
  }
  show();
}

function showAddress() {
  for (const example of document.querySelectorAll("[data-example]")) {
    setText(example, example.textContent.replace("http://localhost:8180", location.origin));
  }
}

// On a phone what is wide is folded until somebody wants it. A swap leaves open what is open (see base.html).
function openTarget() {
  const target = document.getElementById(location.hash.slice(1));
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
open();
