// What the tab tells: how many users are poor, in its title, and by its icon, which is grey while the page is not kept
// up to date. The count is the server's: it comes with the section that shows it.

const title = document.title;
const icon = document.querySelector("link[rel=icon]");
const icons = { live: icon.getAttribute("href"), ...icon.dataset };

export function showInTab(isLive) {
  const poor = Number(document.querySelector("[data-poor-users]")?.dataset.poorUsers ?? 0);
  const text = poor ? `(${poor} poor) ${title}` : title;
  if (document.title !== text) document.title = text;
  const href = isLive ? icons[poor ? "poor" : "live"] : icons.old;
  if (icon.getAttribute("href") !== href) icon.setAttribute("href", href);
}
