// The operator's view: theme, time zone, wall display.

import { isUtc, setUtc, showTimes, zoneName } from "./clock.js";
import { keep } from "./preferences.js";

const menu = document.getElementById("view");
const { dataset } = document.documentElement; // its theme is set by theme.js before the first paint

const CHOICES = {
  theme(value) {
    dataset.theme = value;
    keep("theme", value);
    document.dispatchEvent(new Event("page:look"));
  },
  zone(value) {
    setUtc(value === "utc");
  },
};

// Radio buttons that are checked from the start, by name and value.
const chosen = { theme: dataset.theme, zone: isUtc() ? "utc" : "local" };
for (const choice of menu.querySelectorAll("input[type=radio]")) {
  choice.checked = chosen[choice.name] === choice.value;
  choice.addEventListener("change", () => CHOICES[choice.name](choice.value));
}
document.getElementById("local-zone").textContent = zoneName(undefined, false);

export const isWall = document.body.classList.contains("wall");

function withWall(address, wall) {
  const url = new URL(address);
  if (wall) url.searchParams.set("wall", "1");
  else url.searchParams.delete("wall");
  return url.href;
}

const wallLink = document.getElementById("wall");
wallLink.href = withWall(location.href, !isWall);

// Links on a wall display open as wall displays. They are rewritten here, since all viewers of a page get the same bytes.
if (isWall) {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("main a[href]");
    if (link) link.href = withWall(link.href, true);
  });
}

// The account menu closes like the view menu.
const account = document.querySelector(".account");
document.addEventListener("click", (event) => {
  if (account?.open && !account.contains(event.target)) account.open = false;
});
account?.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  account.open = false;
  account.querySelector("summary").focus();
});

showTimes();
