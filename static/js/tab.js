// The tab shows how many alerts fire and how many users are poor, in its title, and by its icon, which is grey while
// the page is not kept up to date. The counts are the server's: they come with the sections that show them.

const title = document.title;
const icon = document.querySelector("link[rel=icon]");
const icons = { live: icon.getAttribute("href"), ...icon.dataset };

export function showInTab(isLive) {
  const poor = Number(document.querySelector("[data-poor-users]")?.dataset.poorUsers ?? 0);
  const firing = Number(document.querySelector("[data-firing]")?.dataset.firing ?? 0);
  const counts = [
    ...(firing ? [`${firing} alert${firing === 1 ? "" : "s"}`] : []),
    ...(poor ? [`${poor} poor`] : []),
  ];
  const text = counts.length ? `(${counts.join(", ")}) ${title}` : title;
  if (document.title !== text) document.title = text;
  const href = isLive ? icons[counts.length ? "poor" : "live"] : icons.old;
  if (icon.getAttribute("href") !== href) icon.setAttribute("href", href);
}
