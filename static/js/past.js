// A page without a stream shows one moment, so its ages are counted from that moment, and its tab counts the users that
// were poor then.

import { freeze } from "./clock.js";
import { showSignedOut } from "./signed_out.js";
import { showInTab } from "./tab.js";

freeze(Number(document.getElementById("connection").dataset.now));
showInTab(false);
document.addEventListener("page:signed-out", showSignedOut);
