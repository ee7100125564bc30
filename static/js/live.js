// Keeps a page live: opens its stream while the page is looked at, says when the server is lost, and shows ages.
// What the page shows comes as HTML from the server; no figure is judged here.
//
// htmx reads the stream and swaps what it brings. When to open one is decided here alone (htmx's own `reconnect` and
// `pauseOnBackground` are off, see base.html): so there is never more than one, whatever ends or refuses it.

const PATIENCE = 5_000; // connecting for longer than this is no connecting either
const CONNECT_TIMEOUT = 10_000;
const RETRY_MIN = 500;
const RETRY_MAX = 4_000;

const WORDS = {
  connecting: "Connecting",
  live: "Live",
  paused: "Paused",
  lost: "Server lost",
  refused: "Not live",
};

const stream = document.getElementById("stream");
const pill = document.getElementById("connection");
const word = document.getElementById("connection-word");
const detail = document.getElementById("connection-detail");

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
let clockOffset = Number(pill.dataset.now) * 1000 - heardAt; // the server's clock minus this machine's

function setState(next) {
  if (state !== next) {
    state = next;
    stateSince = Date.now();
    pill.dataset.state = state;
    word.textContent = WORDS[state];
    document.body.classList.toggle("out-of-date", state === "lost" || state === "refused");
  }
  showAges();
}

function age(milliseconds) {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 1) return "now";
  if (seconds < 100) return `${seconds} s ago`;
  if (seconds < 6_000) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function showAges() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time[data-at]")) {
    setText(time, age(now + clockOffset - Number(time.dataset.at) * 1000));
  }
  const heard = `last heard ${age(now - heardAt)}`;
  const details = { lost: heard, refused: `${reason}, ${heard}`, connecting: now - heardAt < 2_000 ? "" : heard };
  setText(detail, details[state] ?? "");
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

// There is a stream: hx-sse got an answer and is about to read it.
stream.addEventListener("htmx:sse:before:connection", (event) => {
  connection = event.detail.connection;
  quietSince = Date.now();
  if (document.hidden) event.preventDefault();
});

// There is none any more: the server ended it, the network broke it, or letGo did.
stream.addEventListener("htmx:sse:close", () => {
  connection = null;
  if (document.hidden) return;
  if (state === "live") setState("connecting");
  openLater();
});

// A request is over: with a stream (see above), with another answer, or with none.
stream.addEventListener("htmx:finally:request", (event) => {
  requested = false;
  if (connection || document.hidden) return;
  const response = event.detail.ctx.response;
  if (response) reason = response.status === 503 ? "the server is busy" : `the server answered ${response.status}`;
  setState(response ? "refused" : "lost");
  openLater(Number(response?.headers.get("Retry-After")) * 1_000 || 0);
});

stream.addEventListener("htmx:sse:before:message", () => {
  heardAt = quietSince = Date.now();
  failures = 0;
  setState("live");
});

stream.addEventListener("ping", (event) => {
  clockOffset = Number(event.detail.data) * 1000 - Date.now();
  showAges();
});

stream.addEventListener("bye", () => setState("lost"));

// Swaps bring times as the server writes them, and may move the row that has the focus: both are put right before
// anybody sees it.
let focused = null;
document.addEventListener("htmx:before:swap", () => {
  focused = document.activeElement;
});
document.addEventListener("htmx:after:swap", () => {
  if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
  focused = null;
  showAges();
  showAddress();
});

// Six streams are all that a browser opens to one server (HTTP/1.1): a tab in the background lets go of its own.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    letGo();
    setState("paused");
  } else {
    failures = 0;
    setState("connecting");
    open();
  }
});

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
  showAges();
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
setState(document.hidden ? "paused" : "connecting");
setInterval(tick, 1_000);
open();
