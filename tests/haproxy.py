"""A real haproxy by deploy/haproxy.cfg, before workers of this machine.

`python -m tests.haproxy` installs it where it is missing.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
from benchmarks.processes import free_port

from tests.process import DEADLINE, eventually

DEPLOYED = Path(__file__).parents[1] / "deploy" / "haproxy.cfg"


def find_haproxy() -> str | None:
    return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")


def install() -> None:
    if os.geteuid() == 0 and shutil.which("apt-get"):
        apt_get = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::http::Timeout=30"]
        subprocess.run([*apt_get, "update"], check=False)
        subprocess.run([*apt_get, "install", "--yes", "--no-install-recommends", "haproxy"], check=False)


def configured(port: int, workers: Sequence[int]) -> str:
    """The deployed configuration, on a port of this machine and before workers on others."""
    text, bound = re.subn(r"bind \S+", f"bind 127.0.0.1:{port}", DEPLOYED.read_text())
    servers = "".join(f"    server worker-{number} 127.0.0.1:{one}\n" for number, one in enumerate(workers, 1))
    text, listed = re.subn(r"(?:    server .*\n)+", servers, text)
    assert (bound, listed) == (1, 1), f"{DEPLOYED} binds {bound} times, and lists servers {listed} times"
    return text


@contextmanager
def haproxy(folder: Path, workers: Sequence[int], port: int = 0) -> Iterator[str]:
    """Run it on `port` (0: a free one) before workers on these ports, until the context ends; its URL."""
    command = find_haproxy()
    assert command, "there is no haproxy: install it (python -m tests.haproxy; Debian: apt-get install haproxy)"
    port = port or free_port()
    file, log = folder / "haproxy.cfg", folder / "haproxy.log"
    file.write_text(configured(port, workers))
    with log.open("ab") as output:
        # Ctrl-C is for the calling process.
        process = subprocess.Popen([command, "-db", "-f", file], stdout=output, stderr=output, process_group=0)
    try:
        address = f"http://127.0.0.1:{port}"
        eventually(lambda: process.poll() is not None or _answers(address))
        assert process.poll() is None, log.read_text()
        yield address
    finally:
        process.terminate()
        process.wait(DEADLINE)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", timeout=DEADLINE).status_code == 200
    except httpx.TransportError:
        return False


if __name__ == "__main__":
    if not find_haproxy():
        install()
    sys.exit(None if find_haproxy() else "there is no haproxy, and it could not be installed")
