// Charts of a room, from its snapshots.

import { start, stepOf } from "./charts.js";
import { now } from "./clock.js";
import { checkDenied } from "./signed_out.js";

const section = document.getElementById("charts");
const interval = Number(section.dataset.interval); // seconds between snapshots
const stepOfRange = (range) => (stepOf(range, interval) > interval ? stepOf(range, interval) : 0);
const exports = document.querySelectorAll("#exports a");

// A merged point shows the worst snapshot of its step, whose own time is fetched.
async function moment(time, range) {
  const step = stepOfRange(range);
  if (!step) return time;
  const query = new URLSearchParams({ from: time, to: time + step, limit: "10000" });
  try {
    const answer = await fetch(`${section.dataset.history}?${query}`);
    checkDenied(answer);
    const found = (await answer.json()).data.filter((one) => one.quality.score !== null && one.timestamp < time + step);
    return found.sort((one, other) => one.quality.score - other.quality.score)[0]?.timestamp ?? time;
  } catch {
    return time; // The page shows the disconnection already.
  }
}

start({
  charts: [
    { title: "Score", unit: "", scale: [1, 4.5], levels: true, series: { score: (one) => one.quality.score } },
    { title: "RTT", unit: "ms", series: { median: (one) => one.rtt?.median, p95: (one) => one.rtt?.p95 } },
    {
      title: "Packet loss",
      unit: "%",
      series: { median: (one) => one.packet_loss?.median, p95: (one) => one.packet_loss?.p95 },
    },
    { title: "Jitter", unit: "ms", series: { median: (one) => one.jitter?.median, p95: (one) => one.jitter?.p95 } },
    {
      title: "Bitrate",
      unit: "Mbit/s",
      series: {
        sent: (one) => (one.video.send_bitrate + one.audio.send_bitrate) / 1_000,
        received: (one) => (one.video.recv_bitrate + one.audio.recv_bitrate) / 1_000,
      },
    },
    {
      title: "Frame rate",
      unit: "fps",
      series: { average: (one) => one.video.frame_rate?.avg, lowest: (one) => one.video.frame_rate?.min },
    },
  ],
  url: () => section.dataset.history,
  step: stepOfRange,
  gap: (range) => 2.5 * Math.max(interval, stepOf(range, interval)),
  due: () => interval - (now() % interval), // what changed is in the snapshot of the next full interval
  moment,
  shows(from, to) {
    for (const link of exports) {
      const address = new URL(link.href);
      address.search = new URLSearchParams({ from: from.toFixed(3), to: to.toFixed(3) });
      link.href = address;
    }
  },
});

document.getElementById("exports-range").textContent = "(visible range)";
