// A page whose operator is no longer signed in: its content stays and is marked as out of date. Signing in leads back.

import { setText } from "./clock.js";

const pill = document.getElementById("connection");
const word = document.getElementById("connection-word");
const detail = document.getElementById("connection-detail");

// For responses to scripts, which are never redirected to the sign-in page.
export const isDenied = (response) => response?.status === 401 || response?.status === 403;

export function checkDenied(response) {
  if (isDenied(response)) document.dispatchEvent(new Event("page:signed-out"));
}

export function showSignedOut() {
  pill.dataset.state = "signed-out";
  document.body.classList.add("out-of-date");
  setText(word, "Signed out");
  if (detail.querySelector("a")) return; // it may have the focus
  const link = document.createElement("a");
  const here = location.href.slice(document.baseURI.length - 1).split("#")[0]; // as the server sees it
  link.href = `sign-in?${new URLSearchParams({ next: here })}`;
  link.textContent = "Sign in";
  detail.replaceChildren(link);
}
