// A page without a stream shows one moment, so its ages are counted from that moment.

import { freeze } from "./clock.js";
import { showSignedOut } from "./signed_out.js";

freeze(Number(document.getElementById("connection").dataset.now));
document.addEventListener("page:signed-out", showSignedOut);
