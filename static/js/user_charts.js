// Charts of one stream of a user, from its reporter's samples: the first stream, until another is chosen.

import { restart, start, stepOf } from "./charts.js";

const section = document.getElementById("charts");
const title = document.getElementById("charted");
const links = () => [...document.querySelectorAll("a[data-history]")];

let charted = null; // {url, title}

function choose(link) {
  charted = { url: link.dataset.history, title: link.title };
  title.textContent = charted.title;
  mark();
}

// A swap brings the links as the server writes them, unmarked.
function mark() {
  for (const link of links()) {
    if (link.dataset.history === charted?.url) link.setAttribute("aria-current", "true");
  }
}

function chooseFirst() {
  const [first] = links();
  if (first && !charted) choose(first);
}

chooseFirst();
start({
  charts: [
    { title: "Score", unit: "", scale: [1, 4.5], levels: true, series: { score: (one) => one.quality.score } },
    { title: "RTT", unit: "ms", series: { RTT: (one) => one.network?.rtt } },
    { title: "Packet loss", unit: "%", series: { loss: (one) => one.network?.packet_loss } },
    { title: "Jitter", unit: "ms", series: { jitter: (one) => one.network?.jitter } },
    {
      title: "Bitrate",
      unit: "kbit/s",
      series: { video: (one) => one.video?.bitrate, audio: (one) => one.audio?.bitrate },
    },
    { title: "Frame rate", unit: "fps", series: { video: (one) => one.video?.frame_rate } },
    {
      title: "Resolution",
      unit: "px",
      stepped: true,
      series: { width: (one) => one.video?.width, height: (one) => one.video?.height },
    },
  ],
  url: () => charted?.url,
  step: (range) => (range > 900 ? stepOf(range, 1) : 0),
  gap: (range) => Math.max(Number(section.dataset.gap), 2.5 * stepOf(range, 1)),
  due: () => 0, // a report is in the history before it is pushed
  moment: (time) => time, // a merged point is one sample, at its own time
  shows() {},
});

document.addEventListener("htmx:after:swap", () => {
  if (charted) return mark();
  chooseFirst();
  if (charted) restart();
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-history]");
  if (!link) return;
  for (const other of links()) other.removeAttribute("aria-current");
  choose(link);
  restart();
});
