// Events of the page's timeline as marks on a chart: links to their moment, with their text on hover and focus.

import { timeOfDay } from "./clock.js";

const NEAR = 24; // px: events that are closer together share a mark, which else would be too small a target

function events() {
  return [...document.querySelectorAll("#timeline [data-event]")]
    .map((row) => ({
      at: Number(row.dataset.event),
      level: row.dataset.level,
      href: row.querySelector(".when").href,
      words: row.querySelector(".what").textContent.trim().replace(/\s+/g, " "),
    }))
    .sort((one, other) => one.at - other.at);
}

function groups(plot) {
  const { min, max } = plot.scales.x;
  const found = [];
  for (const event of events()) {
    if (event.at < min || event.at > max) continue;
    const x = Math.round(plot.valToPos(event.at, "x"));
    const last = found.at(-1);
    if (last && x - last.x < NEAR) last.events.push(event);
    else found.push({ x, events: [event] });
  }
  return found;
}

const linesOf = (group) => group.map(({ at, words }) => `${timeOfDay(at)} ${words}`);

// Of many, the first ones: the timeline has them all.
function textOf(group) {
  const lines = linesOf(group);
  return lines.length > 6 ? [...lines.slice(0, 5), `and ${lines.length - 5} more`].join("\n") : lines.join("\n");
}

function worst(group) {
  const levels = group.map(({ level }) => level);
  return ["poor", "fair", "good"].find((level) => levels.includes(level));
}

function hide(layer) {
  layer.querySelector(".mark-words")?.remove();
}

function tell(layer, mark) {
  hide(layer);
  const words = document.createElement("span");
  words.className = "mark-words";
  words.ariaHidden = "true"; // the mark's own name says the same
  words.textContent = mark.dataset.words;
  const x = parseFloat(mark.style.left);
  if (x > layer.clientWidth / 2) words.classList.add("at-end");
  layer.append(words);
}

function layerOf(plot) {
  const known = plot.over.querySelector(".marks");
  if (known) return known;
  const layer = document.createElement("div");
  layer.className = "marks";
  for (const name of ["mouseover", "focusin"]) layer.addEventListener(name, ({ target }) => tell(layer, target));
  for (const name of ["mouseout", "focusout"]) layer.addEventListener(name, () => hide(layer));
  layer.addEventListener("click", (event) => event.stopPropagation()); // a chart travels to the time under the pointer
  plot.over.append(layer);
  return layer;
}

// Marks are kept where they stay the same: one may have the focus.
export function mark(plot) {
  const layer = layerOf(plot);
  const known = new Map([...layer.querySelectorAll("a")].map((link) => [link.dataset.first, link]));
  for (const { x, events: group } of groups(plot)) {
    const first = String(group[0].at);
    const link = known.get(first) ?? document.createElement("a");
    known.delete(first);
    link.dataset.first = first;
    link.href = group.at(-1).href;
    link.style.left = `${x}px`;
    link.dataset.words = textOf(group);
    link.ariaLabel = linesOf(group).join(", ");
    const level = worst(group);
    if (level) link.dataset.level = level;
    else delete link.dataset.level;
    if (!link.isConnected) layer.append(link);
  }
  for (const link of known.values()) link.remove();
}
