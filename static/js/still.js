// A page that is not kept up to date, since it shows a moment in the past: its times stand still.

import { freeze } from "./clock.js";

freeze(Number(document.getElementById("connection").dataset.now));
