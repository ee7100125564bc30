// Keeps a page live: opens its stream while the page is looked at, says when the server is lost, and shows ages.
// What the page shows comes as HTML from the server; no figure is judged here.

const HEARTBEAT = 10_000; // milliseconds between the server's `ping` events
const LOST_AFTER = 2 * HEARTBEAT + 2_000; // silence for longer than two heartbeats is no silence but a lost server
const RETRY_MIN = 1_000;
const RETRY_MAX = 5_000;

const stream = document.getElementById("stream");
const connection = document.getElementById("connection");
const word = connection.querySelector(".connection-word");
const detail = connection.querySelector(".connection-detail");

const words = {
  connecting: "Connecting",
  live: "Live",
  lost: "Server lost",
};

let heardAt = Date.now(); // by this machine's clock
let clockOffset = Number(connection.dataset.now) * 1000 - Date.now(); // the server's clock minus this machine's
let retries = 0;
let retry = 0;

function setState(state) {
  connection.dataset.state = state;
  word.textContent = words[state];
  document.body.classList.toggle("out-of-date", state === "lost");
  showAges();
}

function age(seconds) {
  if (seconds < 1) return "now";
  if (seconds < 120) return `${Math.floor(seconds)} s ago`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min ago`;
  return `${Math.floor(seconds / 3600)} h ago`;
}

function showAges() {
  const now = Date.now() + clockOffset;
  for (const time of document.querySelectorAll("time[data-at]")) {
    if (!time.title) time.title = time.textContent;
    const text = age(now / 1000 - Number(time.dataset.at));
    if (time.textContent !== text) time.textContent = text;
  }
  const state = connection.dataset.state;
  const silence = age((Date.now() - heardAt) / 1000);
  detail.textContent = state === "live" ? "" : `last heard ${silence}`;
}

function heard() {
  heardAt = Date.now();
  retries = 0;
  if (connection.dataset.state !== "live") setState("live");
}

function open() {
  clearTimeout(retry);
  if (!document.hidden && !stream._htmx?.sse) htmx.trigger(stream, "live", {}, false);
}

// htmx reconnects a stream that once was open. One that never opened is tried again here.
function openLater() {
  setState("lost");
  const wait = Math.min(RETRY_MAX, RETRY_MIN * 2 ** retries++);
  clearTimeout(retry);
  retry = setTimeout(open, wait * (0.7 + 0.6 * Math.random()));
}

stream.addEventListener("htmx:sse:before:connection", (event) => {
  // attempt > 0: the stream has ended. A tab in the background lets go of its stream on purpose.
  if (event.detail.connection.attempt > 0 && !document.hidden) setState("lost");
});
stream.addEventListener("htmx:sse:error", () => setState("lost"));
stream.addEventListener("htmx:sse:before:message", heard);
stream.addEventListener("htmx:error", openLater);
stream.addEventListener("htmx:response:error", openLater);
stream.addEventListener("bye", () => setState("lost"));
stream.addEventListener("ping", (event) => {
  clockOffset = Number(event.detail.data) * 1000 - Date.now();
});
document.addEventListener("htmx:after:swap", showAges);
document.addEventListener("visibilitychange", open);

setInterval(() => {
  if (!document.hidden && connection.dataset.state === "live" && Date.now() - heardAt > LOST_AFTER) {
    setState("lost");
    stream._htmx?.sse?.reader?.cancel(); // a connection that died without a word: make htmx open a new one
  }
  showAges();
}, 1_000);

for (const example of document.querySelectorAll("[data-example]")) {
  example.textContent = example.textContent.replace("http://localhost:8180", location.origin);
}

setState("connecting");
document.addEventListener("DOMContentLoaded", open);
