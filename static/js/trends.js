// The trends of the page of all rooms: fetched as HTML when they are unfolded, and once a minute while they are.

import { isFrozen, showTimes } from "./clock.js";
import { keep, kept } from "./preferences.js";
import { checkDenied } from "./signed_out.js";

const EVERY = 60_000; // as often as there is a new point

const trends = document.getElementById("trends");
const body = trends.querySelector(".trends-body");

let chosen = trends.dataset.range;
let wanted = 0; // counts requests: of two, the answer to the newer one is shown

async function load() {
  const mine = ++wanted;
  try {
    const answer = await fetch(`trends?range=${chosen}`);
    checkDenied(answer);
    if (!answer.ok || mine !== wanted) return;
    const html = await answer.text();
    const focused = document.activeElement?.dataset.trends;
    body.replaceChildren(document.createRange().createContextualFragment(html));
    if (focused) body.querySelector(`[data-trends="${focused}"]`)?.focus();
    showTimes();
  } catch {
    // The page shows the disconnection already; the next minute brings them.
  }
}

trends.addEventListener("toggle", () => {
  keep("trends", trends.open ? chosen : "");
  if (trends.open) load();
});

body.addEventListener("click", (event) => {
  const link = event.target.closest("[data-trends]");
  if (!link) return;
  event.preventDefault();
  chosen = link.dataset.trends;
  keep("trends", chosen);
  load();
});

if (kept("trends")) {
  chosen = kept("trends");
  trends.open = true;
}
setInterval(() => {
  if (trends.open && !document.hidden && !isFrozen()) load();
}, EVERY);
