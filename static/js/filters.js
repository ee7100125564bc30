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
    const empty = [...form.elements].filter((field) => !field.value);
    for (const field of empty) field.disabled = true; // what is empty is not in the address
    form.submit();
    for (const field of empty) field.disabled = false;
  }

  form.addEventListener("input", ({ target }) => {
    clearTimeout(timer);
    timer = setTimeout(apply, target.tagName === "SELECT" ? 0 : PAUSE);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    apply();
  });
}

// Where one typed, typing goes on.
const typed = kept("typed");
if (typed) keep("typed", "");
const field = typed && document.querySelector(`form[data-filter] [name="${CSS.escape(typed)}"]`);
if (field) {
  field.focus({ preventScroll: true });
  if (field.setSelectionRange) field.setSelectionRange(field.value.length, field.value.length);
}
