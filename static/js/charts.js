// Charts of a room's stored history, which go on live: whenever the page was pushed something, the snapshots since the
// last point are fetched. So a reconnect leaves no hole that history can fill, and a quiet room costs nothing.

const RANGES = { "15 min": 900, "1 h": 3_600, "6 h": 21_600, "24 h": 86_400 }; // seconds
const POINTS = 360; // about as many as a chart has room for: longer ranges are merged into steps by the server
const HEIGHT = 150;

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
const reset = section.querySelector(".chart-reset");
const interval = Number(section.dataset.interval); // seconds between snapshots
const clockOffset = Number(document.getElementById("connection").dataset.now) - Date.now() / 1_000;

let range = RANGES["15 min"];
let snapshots = [];
let zoom = null; // [from, to] in Unix seconds, while the operator looks at a part
let plots = [];
let timer = 0;
let again = false;
let fetching = false;

const serverNow = () => Date.now() / 1_000 + clockOffset;
const step = () => Math.max(interval, Math.ceil(range / POINTS / interval) * interval);
const view = () => zoom ?? [serverNow() - range, serverNow()];

// The newest point is fetched again: as a step it may have grown meanwhile.
async function load() {
  if (fetching) return;
  fetching = true;
  const asked = range;
  const from = Math.max(serverNow() - range, snapshots.at(-1)?.timestamp ?? 0);
  const query = new URLSearchParams({ from: from.toFixed(3), limit: "10000" });
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
  const oldest = serverNow() - range;
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
  section.dataset.points = snapshots.length;
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

function color(name) {
  return getComputedStyle(section).getPropertyValue(name).trim();
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const clockWithSeconds = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle: "h23" });

function clockTime(time) {
  return (time % 60 ? clockWithSeconds : clock).format(time * 1_000);
}

function axis(values) {
  const line = { stroke: color("--line"), width: 1 };
  return { stroke: color("--quiet"), grid: line, ticks: line, font: "12px system-ui, sans-serif", ...values };
}

function options(chart, width) {
  const series = Object.keys(chart.series).map((label, index) => ({
    label,
    stroke: color(`--series-${index + 1}`),
    width: 2,
    dash: index ? [6, 3] : undefined, // told apart without colour too
    points: { size: 4 },
  }));
  return {
    width,
    height: HEIGHT,
    cursor: { sync: { key: "room" }, drag: { x: true, y: false, setScale: false }, bind: { dblclick: () => () => show(null) } },
    hooks: { setSelect: [selected], setCursor: [(plot) => tell(plot, chart)] },
    legend: { show: false },
    scales: { x: { time: true }, y: { range: (_, __, most) => chart.scale ?? [0, (most || 1) * 1.1] } },
    axes: [axis({ space: 70, size: 30, values: (_, times) => times.map(clockTime) }), axis({ size: 58, space: 28 })],
    series: [{}, ...series],
  };
}

// The caption tells the figures under the cursor, and the newest ones while there is none.
function tell(plot, chart) {
  const index = plot.cursor.left >= 0 ? plot.cursor.idx : plot.data[0].length - 1;
  const digits = { "": 2, "%": 1 }[chart.unit] ?? 0;
  plot.root.parentElement.querySelectorAll(".key b").forEach((figure, series) => {
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
  grid.replaceChildren();
  plots = CHARTS.map((chart) => {
    const figure = document.createElement("figure");
    figure.dataset.unit = chart.unit;
    figure.append(captionOf(chart));
    grid.append(figure);
    return new uPlot(options(chart, figure.clientWidth), data(chart), figure);
  });
  draw();
}

function resize() {
  CHARTS.forEach((_, index) => {
    const width = grid.children[index].clientWidth;
    if (width !== plots[index].width) plots[index].setSize({ width, height: HEIGHT });
  });
}

function choose(button) {
  for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
  range = RANGES[button.textContent];
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
  const wait = interval - (serverNow() % interval) + 0.3 + Math.random();
  timer = setTimeout(() => {
    timer = 0;
    load();
    if (again) {
      again = false;
      loadLater();
    }
  }, wait * 1_000);
}

document.addEventListener("htmx:after:swap", loadLater);

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", build);
section.hidden = false;
build();
new ResizeObserver(resize).observe(grid);
load();
loadLater(); // the first push may have come before this script
