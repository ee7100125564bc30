// Runs before uPlot, which makes a number format of the browser's language as it loads, and draws nothing where that is
// none: WebKitGTK under LANG=C says "C".
try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en-US" });
}
