// The field for a time in the past is in the zone that the operator chose; without scripts it is in UTC.

import { isUtc, localTime, zoneName } from "./clock.js";

const field = document.querySelector(".travel input[name=at]");
const zone = document.querySelector(".travel .zone");

function show() {
  zone.textContent = zoneName();
  if (field.dataset.at) field.value = localTime(Number(field.dataset.at));
}

field.form.addEventListener("formdata", ({ formData }) => {
  const time = new Date(isUtc() ? `${field.value}Z` : field.value) / 1_000;
  if (Number.isNaN(time)) formData.delete("at");
  else formData.set("at", time);
});

document.addEventListener("page:look", show);
show();
