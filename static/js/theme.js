// Runs before the first paint, so that a page never shows in another theme than the one that was chosen (static/js/view.js).
// That `data-theme` is there also tells the stylesheet that there is JavaScript.
{
  let theme = null;
  try {
    theme = localStorage.getItem("theme");
  } catch {
    // This browser keeps nothing: the theme is that of the system.
  }
  document.documentElement.dataset.theme = theme ?? "system";
}
