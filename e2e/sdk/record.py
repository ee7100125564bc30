"""Records getStats() of a real Chromium into tests/recordings/chromium.json: `python -m e2e.sdk.record`."""

import json
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from e2e.chromium import find_chromium
from e2e.sdk.calls import FAKE_DEVICES, serve_application

RECORDING = Path(__file__).parents[2] / "tests" / "recordings" / "chromium.json"

CALL = """
async ({ screen, simulcast }) => {
  await capture(simulcast ? { width: 1280, height: 720 } : { screen, width: 640, height: 480 });
  const layers = ["q", "h", "f"].map((rid, i) => ({ rid, scaleResolutionDownBy: 2 ** (2 - i) }));
  connect("sender", peers.tracks, simulcast ? layers : undefined);
  connect("receiver", []);
  const mine = peers.tracks;
  peers.tracks = [];
  const answered = await answer("receiver", await offer("sender"));
  await accept("sender", simulcast ? takingLayers(answered) : answered);
  peers.tracks = mine;
  await limit("sender", {});
}
"""

SAMPLE = """
async () => {
  const types = ["candidate-pair", "codec", "inbound-rtp", "local-candidate", "media-source", "outbound-rtp",
                 "remote-inbound-rtp", "remote-outbound-rtp", "transport"];
  // Addresses and keys are private, and members that the SDK does not read only take space.
  const left = new RegExp("^(address|ip|port|url|priority|foundation|usernameFragment|sdpFmtpLine|" +
    "(ice|tls|dtls|srtp|local.*Cert|remote.*Cert|goog|jitterBuffer|qualityLimitation|header|fec|power).*|" +
    "retransmittedPackets.*|packets(Sent|Received)With.*|" +
    "total(Packet|Encode|Decode|Inter|Squared|Processing|Assembly|Pauses).*)$");
  const sample = {};
  for (const name of ["sender", "receiver"]) {
    const connection = peers[name];
    const all = [...(await connection.getStats()).values()];
    const used = all.filter(({ nominated }) => nominated).map(({ localCandidateId }) => localCandidateId);
    const stats = all.filter(({ type }) => types.includes(type))
      .filter(({ id, type }) => type !== "local-candidate" || used.includes(id));
    const about = (track) => track && { id: track.id, kind: track.kind,
      enabled: track.enabled, muted: track.muted, readyState: track.readyState,
      contentHint: track.contentHint, displaySurface: track.getSettings().displaySurface };
    sample[name] = {
      connectionState: connection.connectionState,
      transceivers: connection.getTransceivers().map(({ mid, currentDirection, sender, receiver }) =>
        ({ mid, currentDirection, sender: about(sender.track), receiver: about(receiver.track) })),
      stats: stats.map((stat) => Object.fromEntries(
        Object.entries(stat).filter(([key]) => !left.test(key)))),
    };
  }
  return sample;
}
"""


def samples(page: Page, count: int) -> list[Any]:
    """`count` samples, 5 s apart."""
    found = [page.evaluate(SAMPLE)]
    while len(found) < count:
        page.wait_for_timeout(5_000)
        found.append(page.evaluate(SAMPLE))
    return found


def record(page: Page, application: str) -> dict[str, list[Any]]:
    scenes = {}
    page.goto(application)
    page.evaluate(CALL, {"screen": True, "simulcast": False})
    page.wait_for_timeout(5_000)
    scenes["call"] = samples(page, 4)  # of audio, there are two receiver reports in no less
    page.evaluate("peers.tracks.slice(0, 2).forEach((track) => { track.enabled = false })")
    page.wait_for_timeout(500)
    scenes["disabled"] = samples(page, 2)
    page.evaluate("peers.tracks.slice(0, 2).forEach((track) => { track.enabled = true })")
    page.wait_for_timeout(3_000)
    page.evaluate("Promise.all(peers.sender.getSenders().slice(0, 2).map((sender) => sender.replaceTrack(null)))")
    scenes["replaced"] = samples(page, 3)

    page.goto(application)
    page.evaluate(CALL, {"screen": False, "simulcast": True})
    page.wait_for_timeout(15_000)  # the largest layer begins when the bandwidth is known
    scenes["simulcast"] = samples(page, 2)
    return scenes


def main() -> None:
    with sync_playwright() as playwright, serve_application() as application:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FAKE_DEVICES)
        page = browser.new_page()
        scenes = record(page, application)
        version = browser.version
        browser.close()
    RECORDING.parent.mkdir(exist_ok=True)
    lines = json.dumps({"chromium": version, "scenes": scenes}, separators=(",", ":"))
    RECORDING.write_text(lines.replace('{"id":', '\n{"id":') + "\n")
    sys.stdout.write(f"{RECORDING}: {RECORDING.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
