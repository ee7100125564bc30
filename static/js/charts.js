// Charts of stored history that continue live: after each push the points since the last one are fetched. So a reconnect
// leaves no gap that history can fill, and a quiet room causes no requests.
//
// room_charts.js and user_charts.js define what is drawn:
//   charts    [{title, unit, scale, levels, stepped, series: {label: (one) => value}}]
//   url()     the URL of the history, or null where there is none
//   step(range)  seconds that are merged into one point by the server, 0 for none
//   gap(step)    seconds without a point that are drawn as a gap
//   due()     seconds until what was just pushed is in the history
//   shows(from, to)  called with the visible range
//   moment(time, range)  the time that a point at `time` shows, or a promise of it

import { dateOf, isFrozen, now, timeOfDay } from "./clock.js";
import { mark } from "./marks.js";
import { keep, kept } from "./preferences.js";
import { checkDenied } from "./signed_out.js";

const RANGES = { "15 min": 900, "1 h": 3_600, "6 h": 21_600, "24 h": 86_400 }; // seconds
const SHORTEST = 60; // seconds that a chart shows at least
const POINTS = 360; // about as many as a chart has room for: longer ranges are merged into steps by the server

const section = document.getElementById("charts");
const grid = section.querySelector(".chart-grid");
const note = section.querySelector(".chart-note");
const rangeText = section.querySelector(".chart-range");
const reset = section.querySelector(".chart-reset");

const [GOOD_FROM, FAIR_FROM] = section.dataset.levels.split(" ").map(Number); // no threshold is here

let source = null;
let rangeName = Object.hasOwn(RANGES, kept("range")) ? kept("range") : "15 min";
let points = [];
let zoom = null; // [from, to] in Unix seconds, while zoomed in
let plots = [];
let dragged = false;
let timer = 0;
let again = false;
let fetching = false;

const range = () => RANGES[rangeName];
const view = () => zoom ?? [begin(), now()];

// A call that is younger than the range has the whole width of a chart.
function begin() {
  const started = Number(document.querySelector("[data-started]")?.dataset.started ?? 0);
  return Math.max(now() - range(), Math.min(started, now() - SHORTEST));
}

// Seconds of a point, in multiples of the `finest`, so that a range has room in a chart.
export const stepOf = (seconds, finest) => Math.ceil(seconds / POINTS / finest) * finest;

// The stylesheet sets the size of a chart and of its text.
const em = () => parseFloat(getComputedStyle(grid).fontSize);

// The newest point is fetched again: where points are merged, it may have changed since.
async function load() {
  const url = source.url();
  if (fetching || !url) return;
  fetching = true;
  const requested = url + rangeName;
  const step = source.step(range());
  const from = Math.max(now() - range(), points.at(-1)?.timestamp ?? 0);
  const query = new URLSearchParams({ from: from.toFixed(3), limit: "10000" });
  if (isFrozen()) query.set("to", now().toFixed(3));
  if (step) query.set("step", step);
  const isCurrent = () => requested === source.url() + rangeName;
  try {
    const answer = await fetch(`${url}${url.includes("?") ? "&" : "?"}${query}`);
    checkDenied(answer);
    if (answer.ok && isCurrent()) add((await answer.json()).data);
  } catch {
    // The page shows the disconnection already; the next push fetches what is missing.
  } finally {
    fetching = false;
  }
  if (!isCurrent()) await load();
  draw();
}

function add(newer) {
  const first = newer[0]?.timestamp ?? Infinity;
  const oldest = now() - range();
  points = points.filter((one) => one.timestamp < first && one.timestamp >= oldest).concat(newer);
}

// A time without data is a gap, not a line.
function columns(read) {
  const times = [];
  const values = [];
  const gap = source.gap(range());
  for (const one of points) {
    if (times.length && one.timestamp - times.at(-1) > gap) {
      times.push(times.at(-1) + gap / 2);
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
  section.dataset.points = points.length;
  note.hidden = points.length > 0;
  reset.hidden = zoom === null;
  const [min, max] = view();
  source.charts.forEach((chart, index) => {
    plots[index].setData(data(chart), false);
    plots[index].setScale("x", { min, max });
    writeCaption(plots[index], chart);
  });
  if (plots.length) mark(plots[0]); // the others are below it, and a mark on each would be many to tab through
  source.shows(min, max);
}

function show(part) {
  zoom = part;
  draw();
}

// A canvas supports neither custom properties nor light-dark(): the colour as the browser computes it.
function color(name) {
  grid.style.color = `var(${name})`;
  const computed = getComputedStyle(grid).color;
  grid.style.color = "";
  return computed;
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
    dash: index ? [6, 3] : undefined, // distinguishable without colour too
    points: { size: 4, filter: alone },
    paths: chart.stepped && uPlot.paths.stepped({ align: 1 }),
  }));
  return {
    width: box.clientWidth,
    height: box.clientHeight,
    tzDate: dateOf,
    padding: [0.6 * em(), null, null, null],
    cursor: { sync: { key: "room" }, drag: { x: true, y: false, setScale: false }, bind: { dblclick: () => () => show(null) } },
    hooks: { drawClear: chart.levels ? [drawLevels] : [], setSelect: [selected], setCursor: [(plot) => writeCaption(plot, chart)] },
    legend: { show: false },
    scales: { x: { time: true }, y: { range: (_, __, most) => chart.scale ?? [0, (most || 1) * 1.1] } },
    axes: [axis(2.5, { space: 6 * em(), values: (_, times) => times.map(tick) }), axis(5.6, { space: 2 * em() })],
    series: [{}, ...series],
  };
}

// Behind a score, the levels that it means.
function drawLevels(plot) {
  const { ctx, bbox } = plot;
  const { min, max } = plot.scales.y;
  for (const [level, from, to] of [["poor", min, FAIR_FROM], ["fair", FAIR_FROM, GOOD_FROM], ["good", GOOD_FROM, max]]) {
    const top = plot.valToPos(to, "y", true);
    ctx.fillStyle = color(`--${level}-surface`);
    ctx.fillRect(bbox.left, top, bbox.width, plot.valToPos(from, "y", true) - top);
  }
}

// Where there are too many points to mark each, a point without neighbours would be invisible without a mark.
function alone(plot, series, all) {
  if (all) return null;
  const values = plot.data[series];
  return values.flatMap((value, at) => (value == null || values[at - 1] != null || values[at + 1] != null ? [] : [at]));
}

// The caption has the values under the cursor, or the newest ones without a cursor.
function writeCaption(plot, chart) {
  const index = plot.cursor.left >= 0 ? plot.cursor.idx : plot.data[0].length - 1;
  const digits = { "": 2, "%": 1, "Mbit/s": 1 }[chart.unit] ?? 0;
  plot.root.closest("figure").querySelectorAll(".key b").forEach((figure, series) => {
    const value = plot.data[series + 1][index];
    figure.textContent = value == null ? "–" : value.toFixed(digits);
  });
}

function captionOf(chart) {
  const caption = document.createElement("figcaption");
  caption.append(chart.title);
  if (chart.unit) caption.append(`, ${chart.unit}`);
  Object.keys(chart.series).forEach((label, index) => {
    const key = document.createElement("span");
    key.className = `key key-${index + 1}`;
    key.append(`${label} `, document.createElement("b"));
    caption.append(key);
  });
  return caption;
}

// Dragging over a range in one chart zooms all of them to it.
function selected(plot) {
  const { left, width } = plot.select;
  if (width < 4) return;
  const part = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  dragged = true;
  show(part);
}

// A click opens the page as it was at that time, unless the page is shared: it leads nowhere. The end of a drag is a click
// too.
async function travel(plot) {
  const time = plot.data[0][plot.cursor.idx];
  const isClick = !dragged && time !== undefined && !document.body.classList.contains("shared");
  dragged = false;
  if (!isClick) return;
  const address = new URL(location.href);
  address.searchParams.set("at", await source.moment(time, range()));
  location.assign(address);
}

function build() {
  for (const plot of plots) plot.destroy();
  sizes.disconnect();
  grid.replaceChildren();
  plots = source.charts.map((chart) => {
    const figure = document.createElement("figure");
    figure.dataset.unit = chart.unit;
    const box = document.createElement("div");
    box.className = "plot";
    figure.append(captionOf(chart), box);
    grid.append(figure);
    sizes.observe(box);
    const plot = new uPlot(options(chart, box), data(chart), box);
    plot.over.addEventListener("click", () => travel(plot));
    return plot;
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
  rangeName = button.textContent;
  rangeText.textContent = rangeName;
  keep("range", rangeName);
  restart();
}

// Start again with another range or another history.
export function restart() {
  points = [];
  zoom = null;
  draw();
  load();
}

for (const name of Object.keys(RANGES)) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = name;
  button.setAttribute("aria-pressed", String(name === rangeName));
  button.addEventListener("click", () => choose(button));
  section.querySelector(".chart-ranges").append(button);
}

reset.addEventListener("click", () => show(null));

// A push means that something changed, which will be in the history soon. The random delay spreads the requests of a
// room's viewers.
function loadLater() {
  if (timer) {
    again = true;
    return;
  }
  timer = setTimeout(
    () => {
      timer = 0;
      if (!isFrozen()) {
        load();
        document.dispatchEvent(new Event("page:history"));
      }
      if (again) {
        again = false;
        loadLater();
      }
    },
    (source.due() + 0.3 + Math.random()) * 1_000,
  );
}

export function start(from) {
  source = from;
  rangeText.textContent = rangeName;
  section.hidden = false;
  build();
  load();
  document.addEventListener("page:resume", load);
  document.addEventListener("page:look", build);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", build);
  const stream = document.getElementById("stream"); // a page that shows the past has none
  stream?.addEventListener("htmx:after:swap", loadLater);
  stream?.addEventListener("htmx:after:swap", () => mark(plots[0]));
  if (stream) loadLater(); // the first push may have come before this script
}
