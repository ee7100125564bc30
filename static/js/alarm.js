// Tells of alerts that begin to fire while the page is open, by a notification of the browser and by a sound: each is off
// until asked for. What fires, and in which words, comes with the section of the header that counts it.

import { keep, kept } from "./preferences.js";

const section = document.getElementById("alerts-firing"); // a shared page has none
const choices = document.querySelectorAll("#alarm input");
const wanted = { notification: kept("notification") === "on", sound: kept("sound") === "on" };

let known = null; // the ids of alerts that were notified, or fired when the page was opened
let audio = null;

// A page in the background keeps listening if it notifies of alerts (see live.js).
export function isAlarmOn() {
  return wanted.sound || (wanted.notification && Notification.permission === "granted");
}

export function tellOfAlerts() {
  const alerts = [...(section?.querySelectorAll("[data-alert]") ?? [])].map((one) => one.dataset);
  const fresh = known ? alerts.filter((one) => !known.has(one.alert)) : [];
  known = new Set([...(known ?? []), ...alerts.map((one) => one.alert)]);
  if (fresh.length === 0) return;
  if (wanted.notification) fresh.forEach(notify);
  // Of several windows one sounds.
  if (wanted.sound && kept("sounded") !== fresh[0].alert) {
    keep("sounded", fresh[0].alert);
    sound();
  }
}

function notify({ alert, title, text, path }) {
  if (Notification.permission !== "granted") return;
  const notification = new Notification(title, { body: text, tag: alert }); // one for all windows, by its tag
  notification.addEventListener("click", () => {
    window.focus();
    location.assign(new URL(path, document.baseURI));
  });
}

// Two short tones. Browsers are silent until the page was clicked or a key was pressed in it.
function sound() {
  audio ??= new AudioContext();
  audio.resume();
  for (const [start, frequency] of [[0, 660], [0.25, 880]]) {
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    tone.frequency.value = frequency;
    volume.gain.value = 0.2;
    tone.connect(volume).connect(audio.destination);
    tone.start(audio.currentTime + start);
    tone.stop(audio.currentTime + start + 0.2);
  }
}

async function choose(choice) {
  if (choice.name === "notification" && choice.checked) {
    choice.checked = (await Notification.requestPermission()) === "granted";
  }
  wanted[choice.name] = choice.checked;
  keep(choice.name, choice.checked ? "on" : "off");
  if (choice.name === "sound" && choice.checked) sound();
}

// Browsers notify only over HTTPS, and from the machine itself.
const mayNotify = "Notification" in window && isSecureContext;
if (!mayNotify) wanted.notification = false;

for (const choice of choices) {
  choice.disabled = choice.name === "notification" && !mayNotify;
  choice.checked = wanted[choice.name];
  choice.addEventListener("change", () => choose(choice));
}
