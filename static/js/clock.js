// The time that the page shows: the server's, which stops while the page is paused, in the zone that the operator chose.
// Every script reads it here, and every <time> of the page is written here.

import { keep, kept } from "./preferences.js";

let offset = 0; // the server's clock minus this machine's, in milliseconds
let frozenAt = null; // Unix seconds, while the page is paused
let utc = kept("zone") === "utc";

const serverNow = () => (Date.now() + offset) / 1_000;

export const now = () => frozenAt ?? serverNow(); // in Unix seconds, as every time here
export const behind = () => serverNow() - now();
export const isFrozen = () => frozenAt !== null;
export const isUtc = () => utc;

export function setServerTime(seconds) {
  offset = seconds * 1_000 - Date.now();
}

export function freeze(at = serverNow()) {
  frozenAt = at;
}

export function thaw() {
  frozenAt = null;
}

// Scripts that draw times redraw them on the document's event "page:look".
export function setUtc(next) {
  utc = next;
  keep("zone", utc ? "utc" : "local");
  showTimes();
  document.dispatchEvent(new Event("page:look"));
}

const localOffset = (date) => -date.getTimezoneOffset(); // in minutes, east of Greenwich

export function zoneName(seconds = now(), asUtc = utc) {
  const minutes = asUtc ? 0 : localOffset(new Date(seconds * 1_000));
  if (minutes === 0) return "UTC";
  const rest = Math.abs(minutes) % 60;
  return `GMT${minutes < 0 ? "−" : "+"}${Math.floor(Math.abs(minutes) / 60)}${rest ? `:${rest}` : ""}`;
}

function isoOf(seconds) {
  const date = new Date(seconds * 1_000);
  if (!utc) date.setTime(date.getTime() + localOffset(date) * 60_000);
  return date.toISOString();
}

export const localTime = (seconds) => isoOf(seconds).slice(0, 19); // as in <input type="datetime-local">
export const timeOfDay = (seconds) => isoOf(seconds).slice(11, 19);
export const dateAndTime = (seconds) => `${isoOf(seconds).slice(0, 10)} ${timeOfDay(seconds)} ${zoneName(seconds)}`;

// A Date whose local fields are those of the chosen zone: uPlot reads local fields only.
export function dateOf(seconds) {
  const date = new Date(seconds * 1_000);
  if (utc) date.setTime(date.getTime() - localOffset(date) * 60_000);
  return date;
}

export function duration(seconds) {
  if (seconds < 100) return `${Math.floor(seconds)} s`;
  if (seconds < 6_000) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

export const age = (seconds) => (seconds < 1 ? "just now" : `${duration(seconds)} ago`);

// Writes only where the text differs: each write changes the DOM, even with the same text.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// `data-clock` makes a time absolute, `data-clock="time"` without its date; others are ages.
function show(time) {
  const at = Number(time.dataset.at);
  const whole = dateAndTime(at);
  const { clock } = time.dataset;
  if (clock === undefined) setText(time, age(now() - at));
  else setText(time, clock === "time" ? `${timeOfDay(at)} ${zoneName(at)}` : whole);
  if (clock !== "" && time.title !== whole) time.title = whole;
}

export function showTimes() {
  document.querySelectorAll("time[data-at]").forEach(show);
  for (const name of document.querySelectorAll("[data-zone]")) setText(name, zoneName());
}
