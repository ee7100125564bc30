"""Record a new call, as Chromium and rtcstats write it: `python -m tests.importing.record` (needs Chromium and npm).

Two connections of one page call each other for half a minute. Data that an import does not use, or that identifies a
machine (addresses, certificates, its speed), is left out of the files in `recorded/`.
"""

import gzip
import json
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from e2e.chromium import ARGUMENTS, find_chromium
from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parent / "recorded"
SECONDS = 28
RTCSTATS = "rtcstats@5.2.0"
FAKE_MEDIA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]

CALL = """async () => {
  const media = await navigator.mediaDevices.getUserMedia({audio: true, video: {width: 640, height: 360}});
  const [one, other] = [new RTCPeerConnection(), new RTCPeerConnection()];
  one.onicecandidate = (event) => other.addIceCandidate(event.candidate);
  other.onicecandidate = (event) => one.addIceCandidate(event.candidate);
  for (const track of media.getTracks()) {
    one.addTrack(track, media);
  }
  await one.setLocalDescription(await one.createOffer());
  await other.setRemoteDescription(one.localDescription);
  const back = media.clone();
  for (const track of back.getTracks()) {
    other.addTrack(track, back);
  }
  await other.setLocalDescription(await other.createAnswer());
  await one.setRemoteDescription(other.localDescription);
  window.hangUp = () => [one, other].forEach((connection) => connection.close());
}"""

TRACE = """window.lines = [];
window.mozRTCPeerConnection = RTCPeerConnection;  // of Chromium, it expects statistics that are no more
window.module = {};
%s
module.exports((...event) => {
  event[1] = event[1]?.__rtcStatsId ?? event[1];
  window.lines.push(JSON.stringify([...event, Date.now()]));
}, 1000, ['']);"""
"""Like rtcstats' own trace-ws.js, with an array in the place of a WebSocket."""

METADATA = '{"path":"/call","origin":"http://localhost","url":"http://localhost/call","fileFormat":2}\n'
"""The header of rtcstats-server."""

USELESS_TYPES = {
    "certificate",
    "local-candidate",
    "remote-candidate",
    "media-playout",
    "peer-connection",
    "data-channel",
}
USEFUL_EVENTS = {"create", "getStats", "getstats", "setRemoteDescription", "ontrack"}
ABOUT_THE_MACHINE = {"cpuPerformance", "deviceMemory", "hardwareConcurrency", "UserAgentData", "getUserMedia"}


def rtcstats_source() -> str:
    with TemporaryDirectory() as folder:
        packed = subprocess.run(["npm", "pack", "--silent", RTCSTATS], cwd=folder, check=True, capture_output=True)
        with tarfile.open(Path(folder) / packed.stdout.decode().strip()) as archive:
            source = archive.extractfile("package/rtcstats.js")
            assert source
            return source.read().decode()


def downloaded(internals: Page, button: str) -> str:
    with internals.expect_download() as download:
        internals.click(button)
    return gzip.decompress(download.value.path().read_bytes()).decode()


def record() -> tuple[str, str, str]:
    """The two files that chrome://webrtc-internals offers, and the lines of rtcstats."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=[*ARGUMENTS, *FAKE_MEDIA])
        context = browser.new_context()
        internals = context.new_page()
        internals.goto("chrome://webrtc-internals")
        internals.evaluate("document.querySelectorAll('details').forEach((part) => part.open = true)")
        page = context.new_page()
        page.route(
            "http://localhost/call", lambda route: route.fulfill(body="<!DOCTYPE html>", content_type="text/html")
        )
        page.goto("http://localhost/call")
        page.add_script_tag(content=TRACE % rtcstats_source())
        page.evaluate(CALL)
        page.wait_for_timeout(SECONDS * 1000)
        found = (
            downloaded(internals, "#dump-click-target"),
            downloaded(internals, "#dump-click-target-rtcstats"),
            "\n".join(page.evaluate("lines")),
        )
        browser.close()
    return found


def trimmed_internals(text: str) -> str:
    dump = {name: value for name, value in json.loads(text).items() if name not in ABOUT_THE_MACHINE}
    for connection in dump["PeerConnections"].values():
        del connection["pid"]
        connection["updateLog"] = [one for one in connection["updateLog"] if one["type"] in USEFUL_EVENTS]
        series = connection["stats"].items()
        connection["stats"] = {name: one for name, one in series if one["statsType"] not in USELESS_TYPES}
    return json.dumps(dump, indent=1)


def trimmed_lines(text: str, *, deltas: bool) -> str:
    """The lines that an import reads; deltas of times include those of the lines left out in between."""
    kept, useless, since = [], set(), 0.0
    for line in text.splitlines():
        if not line.startswith("["):
            kept.append(line)
            continue
        *event, time = json.loads(line)
        since = since + time if deltas else time
        if event[0] in USEFUL_EVENTS and event[1] is not None:
            if event[0].lower() == "getstats":
                useless |= {name for name, one in event[2].items() if type_of(one) in USELESS_TYPES}
                event[2] = {name: one for name, one in event[2].items() if name not in useless}
            kept.append(json.dumps([*event, since], separators=(",", ":")))
            since = 0.0
    return "\n".join(kept) + "\n"


def type_of(stats: Any) -> Any:
    return stats.get("type") if isinstance(stats, dict) else None


def keep(name: str, text: str) -> None:
    (FOLDER / f"{name}.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    internals, of_chromium, of_rtcstats = record()
    keep("internals.json", trimmed_internals(internals))
    keep("chromium-rtcstats.jsonl", trimmed_lines(of_chromium, deltas=True))
    keep("rtcstats.jsonl", METADATA + trimmed_lines(of_rtcstats, deltas=False))
