// A form that filters a page applies as it is changed: at once by a choice, after a pause by typing. The button is for
// browsers without JavaScript.

import { keep, kept } from "./preferences.js";

const PAUSE = 400; // ms

for (const form of document.querySelectorAll("form[data-filter]")) {
  let timer = 0;

  function apply() {
    clearTimeout(timer);
    const { activeElement } = document;
    if (form.contains(activeElement)) keep("typed", activeElement.name); // the page that follows puts the cursor back
    // What is empty, or the first choice, is what a page shows anyway, and is not in the address.
    const usual = [...form.elements].filter((field) => !field.value || field.selectedIndex === 0);
    for (const field of usual) field.disabled = true;
    form.submit();
    for (const field of usual) field.disabled = false;
  }

  form.addEventListener("input", ({ target }) => {
    clearTimeout(timer);
    timer = setTimeout(apply, target.tagName === "SELECT" ? 0 : PAUSE);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    document.activeElement.blur(); // Enter leaves the field: the keys are for rows again
    apply();
  });
}

// Where one typed, typing goes on.
const typed = kept("typed");
if (typed) keep("typed", "");
const field = typed && document.querySelector(`form[data-filter] [name="${CSS.escape(typed)}"]:not([type="hidden"])`);
if (field) {
  field.focus({ preventScroll: true });
  if (field.setSelectionRange) field.setSelectionRange(field.value.length, field.value.length);
}
