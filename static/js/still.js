// A page that is not kept up to date, since it shows a moment in the past: its times stand still.

import { freeze } from "./clock.js";
import { showSignedOut } from "./signed_out.js";

freeze(Number(document.getElementById("connection").dataset.now));
document.addEventListener("page:signed-out", showSignedOut);
