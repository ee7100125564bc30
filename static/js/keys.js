// Keyboard shortcuts, which are off while the operator types in a field.

import { isWall } from "./view.js";

// The link of a row: the focused row is the selected one.
const ROWS = ["rooms", "users", "found-users", "calls"].map((list) => `#${list} tbody th a`).join();
const help = document.getElementById("keys");

const click = (id) => () => document.getElementById(id)?.click();

function move(by) {
  const links = [...document.querySelectorAll(ROWS)].filter((link) => link.checkVisibility());
  const place = links.indexOf(document.activeElement);
  const from = place < 0 && by < 0 ? links.length : place;
  const next = links[Math.max(0, Math.min(links.length - 1, from + by))];
  next?.focus({ preventScroll: true });
  next?.closest("tr").scrollIntoView({ block: "nearest" });
}

function search() {
  const field = document.querySelector("main input[type=search]");
  field?.focus();
  field?.select();
}

const KEYS = {
  "/": search,
  "?": () => help.showModal(),
  j: () => move(1),
  k: () => move(-1),
  p: click("pause"),
  w: click("wall"),
};
if (isWall) KEYS.Escape = click("wall");

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, select, textarea, [contenteditable]");
  const held = event.repeat && !"jk".includes(event.key);
  if (typing || held || help.open || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  KEYS[event.key]();
});

document.getElementById("help").addEventListener("click", () => {
  document.getElementById("view").hidePopover();
  help.showModal();
});
