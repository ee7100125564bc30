// Charts of a room's stored history, which go on live: whenever the page was pushed something, the snapshots since the
// last point are fetched. So a reconnect leaves no hole that history can fill, and a quiet room costs nothing.

import { dateOf, isFrozen, now, timeOfDay } from "./clock.js";

const RANGES = { "15 min": 900, "1 h": 3_600, "6 h": 21_600, "24 h": 86_400 }; // seconds
const POINTS = 360; // about as many as a chart has room for: longer ranges are merged into steps by the server

const CHARTS = [
  { title: "Score", unit: "", scale: [1, 4.5], series: { score: (one) => one.quality.score } },
  { title: "rtt", unit: "ms", series: { average: (one) => one.rtt?.avg, p95: (one) => one.rtt?.p95 } },
  {
    title: "Packet loss",
    unit: "%",
    series: { average: (one) => one.packet_loss?.avg, p95: (one) => one.packet_loss?.p95 },
  },
  { title: "Jitter", unit: "ms", series: { average: (one) => one.jitter?.avg, p95: (one) => one.jitter?.p95 } },
  {
    title: "Bitrate",
    unit: "kbit/s",
    series: {
      sent: (one) => one.video.send_bitrate + one.audio.send_bitrate,
      received: (one) => one.video.recv_bitrate + one.audio.recv_bitrate,
    },
  },
  {
    title: "Frame rate",
    unit: "fps",
    series: { average: (one) => one.video.frame_rate?.avg, lowest: (one) => one.video.frame_rate?.min },
  },
];

const section = document.getElementById("charts");
const grid = section.querySelector(".chart-grid");
const note = section.querySelector(".chart-note");
const rangeName = section.querySelector(".chart-range");
const reset = section.querySelector(".chart-reset");
const interval = Number(section.dataset.interval); // seconds between snapshots

let range = RANGES["15 min"];
let snapshots = [];
let zoom = null; // [from, to] in Unix seconds, while the operator looks at a part
let plots = [];
let timer = 0;
let again = false;
let fetching = false;

const step = () => Math.max(interval, Math.ceil(range / POINTS / interval) * interval);
const view = () => zoom ?? [now() - range, now()];
// How large a chart and its print are, the stylesheet says.
const em = () => parseFloat(getComputedStyle(grid).fontSize);

// The newest point is fetched again: as a step it may have grown meanwhile.
async function load() {
  if (fetching) return;
  fetching = true;
  const asked = range;
  const from = Math.max(now() - range, snapshots.at(-1)?.timestamp ?? 0);
  const query = new URLSearchParams({ from: from.toFixed(3), limit: "10000" });
  if (isFrozen()) query.set("to", now().toFixed(3));
  if (step() > interval) query.set("step", step());
  try {
    const answer = await fetch(`${section.dataset.history}?${query}`);
    if (answer.ok && asked === range) add((await answer.json()).data);
  } catch {
    // The server is lost, which the page says; the next push makes up for it.
  } finally {
    fetching = false;
  }
  if (asked !== range) await load();
  draw();
}

function add(newer) {
  const first = newer[0]?.timestamp ?? Infinity;
  const oldest = now() - range;
  snapshots = snapshots.filter((one) => one.timestamp < first && one.timestamp >= oldest).concat(newer);
}

// Where nothing was known for a while there is a gap, not a line.
function columns(read) {
  const times = [];
  const values = [];
  for (const one of snapshots) {
    if (times.length && one.timestamp - times.at(-1) > 2.5 * step()) {
      times.push(times.at(-1) + step());
      values.push(null);
    }
    times.push(one.timestamp);
    values.push(read(one));
  }
  return [times, values];
}

function data(chart) {
  const read = Object.values(chart.series).map((figure) => columns((one) => figure(one) ?? null));
  return [read[0][0], ...read.map(([, values]) => values)];
}

function draw() {
  note.hidden = snapshots.length > 0;
  reset.hidden = zoom === null;
  const [min, max] = view();
  CHARTS.forEach((chart, index) => {
    plots[index].setData(data(chart), false);
    plots[index].setScale("x", { min, max });
    tell(plots[index], chart);
  });
}

function show(part) {
  zoom = part;
  draw();
}

// A canvas knows neither custom properties nor light-dark(): the colour as the browser has worked it out.
function color(name) {
  grid.style.color = `var(${name})`;
  const worked = getComputedStyle(grid).color;
  grid.style.color = "";
  return worked;
}

const tick = (time) => timeOfDay(time).slice(0, time % 60 ? 8 : 5);

function axis(size, values) {
  const line = { stroke: color("--line"), width: 1 };
  const font = `${em()}px system-ui, sans-serif`;
  return { stroke: color("--quiet"), grid: line, ticks: line, font, size: size * em(), ...values };
}

function options(chart, box) {
  const series = Object.keys(chart.series).map((label, index) => ({
    label,
    stroke: color(`--series-${index + 1}`),
    width: 2,
    dash: index ? [6, 3] : undefined, // told apart without colour too
    points: { size: 4 },
  }));
  return {
    width: box.clientWidth,
    height: box.clientHeight,
    tzDate: dateOf,
    padding: [0.6 * em(), null, null, null],
    cursor: { sync: { key: "room" }, drag: { x: true, y: false, setScale: false }, bind: { dblclick: () => () => show(null) } },
    hooks: { setSelect: [selected], setCursor: [(plot) => tell(plot, chart)] },
    legend: { show: false },
    scales: { x: { time: true }, y: { range: (_, __, most) => chart.scale ?? [0, (most || 1) * 1.1] } },
    axes: [axis(2.5, { space: 6 * em(), values: (_, times) => times.map(tick) }), axis(5.6, { space: 2 * em() })],
    series: [{}, ...series],
  };
}

// The caption tells the figures under the cursor, and the newest ones while there is none.
function tell(plot, chart) {
  const index = plot.cursor.left >= 0 ? plot.cursor.idx : plot.data[0].length - 1;
  const digits = { "": 2, "%": 1 }[chart.unit] ?? 0;
  plot.root.closest("figure").querySelectorAll(".key b").forEach((figure, series) => {
    const value = plot.data[series + 1][index];
    figure.textContent = value == null ? "–" : `${value.toFixed(digits)} ${chart.unit}`;
  });
}

function captionOf(chart) {
  const caption = document.createElement("figcaption");
  caption.append(chart.title);
  Object.keys(chart.series).forEach((label, index) => {
    const key = document.createElement("span");
    key.className = `key key-${index + 1}`;
    key.append(`${label} `, document.createElement("b"));
    caption.append(key);
  });
  return caption;
}

// Dragging over a part of one chart shows that part in all of them.
function selected(plot) {
  const { left, width } = plot.select;
  if (width < 4) return;
  const part = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  show(part);
}

function build() {
  for (const plot of plots) plot.destroy();
  sizes.disconnect();
  grid.replaceChildren();
  plots = CHARTS.map((chart) => {
    const figure = document.createElement("figure");
    const box = document.createElement("div");
    box.className = "plot";
    figure.append(captionOf(chart), box);
    grid.append(figure);
    sizes.observe(box);
    return new uPlot(options(chart, box), data(chart), box);
  });
  draw();
}

const sizes = new ResizeObserver(() => {
  for (const plot of plots) {
    const { clientWidth: width, clientHeight: height } = plot.root.parentElement;
    if (width !== plot.width || height !== plot.height) plot.setSize({ width, height });
  }
});

function choose(button) {
  for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
  range = RANGES[button.textContent];
  rangeName.textContent = button.textContent;
  snapshots = [];
  zoom = null;
  load();
}

for (const name of Object.keys(RANGES)) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = name;
  button.setAttribute("aria-pressed", String(RANGES[name] === range));
  button.addEventListener("click", () => choose(button));
  section.querySelector(".chart-ranges").append(button);
}

reset.addEventListener("click", () => show(null));

// A push says that something changed, and that there will be a snapshot of it at the next full interval. The viewers of
// a room need not all ask in the same moment.
function loadLater() {
  if (timer) {
    again = true; // what changed after the full interval is in the snapshot after that
    return;
  }
  const wait = interval - (now() % interval) + 0.3 + Math.random();
  timer = setTimeout(() => {
    timer = 0;
    if (!isFrozen()) load();
    if (again) {
      again = false;
      loadLater();
    }
  }, wait * 1_000);
}

document.addEventListener("htmx:after:swap", loadLater);
document.addEventListener("page:resume", load);
document.addEventListener("page:look", build);

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", build);
section.hidden = false;
build();
load();
loadLater(); // the first push may have come before this script
