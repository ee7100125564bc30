"""A real Janus on loopback, with one video room, that posts its events to a bridge.

`python -m tests.janus` installs it where it is missing.
"""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.processes import free_port

from tests.process import DEADLINE, eventually

ROOM = 1234

_CONFIGURATION = {
    "janus.jcfg": """
        general: {{ plugins_folder = "{plugins}", transports_folder = "{transports}", events_folder = "{events}",
                    debug_level = 3, server_name = "janus-1" }}
        media: {{ ipv6 = false }}
        plugins: {{ disable = "{other_plugins}" }}
        transports: {{ disable = "{other_transports}" }}
        events: {{ broadcast = true, stats_period = 1 }}
    """,
    "janus.plugin.videoroom.jcfg": """
        room-{room}: {{ description = "A room", publishers = 20, bitrate = 512000, fir_freq = 10 }}
    """,
    "janus.transport.websockets.jcfg": """
        general: {{ ws = true, ws_port = {port}, ws_ip = "127.0.0.1" }}
    """,
    "janus.eventhandler.sampleevh.jcfg": """
        general: {{ enabled = true, events = "all", grouping = true, backend = "{bridge}" }}
    """,
}


def find_janus() -> str | None:
    return shutil.which("janus")


def install() -> None:
    if os.geteuid() == 0 and shutil.which("apt-get"):
        apt_get = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
        subprocess.run([*apt_get, "update"], check=True)
        subprocess.run([*apt_get, "install", "--yes", "--no-install-recommends", "janus"], check=True)


@contextmanager
def janus(folder: Path, bridge: str) -> Iterator[str]:
    """Run Janus, with events posted to the URL `bridge`; yields the URL of its WebSockets."""
    command = find_janus()
    assert command, "there is no janus: install it (python -m tests.janus; Debian: apt-get install janus)"
    folder.mkdir()
    library, port = _library(), free_port()
    values = {
        **{name: library / name for name in ("plugins", "transports", "events")},
        "other_plugins": _others(library / "plugins", "videoroom"),
        "other_transports": _others(library / "transports", "websockets"),
        "room": ROOM,
        "port": port,
        "bridge": bridge,
    }
    for name, text in _CONFIGURATION.items():
        (folder / name).write_text(text.format(**values))
    log = folder / "janus.log"
    with log.open("wb") as output:
        started = [command, "--configs-folder", str(folder), "--config", str(folder / "janus.jcfg")]
        process = subprocess.Popen(started, stdout=output, stderr=output)
    try:
        eventually(lambda: process.poll() is not None or _listens(port))
        assert process.poll() is None, log.read_text()
        yield f"ws://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(DEADLINE)


def _listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _library() -> Path:
    """Where Debian has Janus' modules, as for any architecture."""
    (found,) = Path("/usr/lib").glob("*/janus")
    return found


def _others(folder: Path, wanted: str) -> str:
    return ",".join(sorted({path.name for path in folder.glob("*.so*") if wanted not in path.name}))


if __name__ == "__main__":
    if not find_janus():
        install()
    if not find_janus():
        print("there is no janus here, and it could not be installed: its tests are skipped", file=sys.stderr)
