// Runs before the first paint, so that a page never flashes in another theme than the chosen one (static/js/view.js).
// The presence of `data-theme` also shows the stylesheet that JavaScript is on.
{
  let theme = null;
  try {
    theme = localStorage.getItem("theme");
  } catch {
    // Storage is disabled: the theme is that of the system.
  }
  document.documentElement.dataset.theme = theme ?? "system";
}
