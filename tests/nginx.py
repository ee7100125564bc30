"""A real nginx by the configuration in docs/proxy.md, before a server of the tests.

`python -m tests.nginx` installs it where it is missing.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from benchmarks.processes import free_port

from tests.process import DEADLINE, eventually

DOCUMENT = Path(__file__).parents[1] / "docs" / "proxy.md"

AROUND = """
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {configuration}
}}
"""


def find_nginx() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def install() -> None:
    if os.geteuid() == 0 and shutil.which("apt-get"):
        apt_get = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
        subprocess.run([*apt_get, "update"], check=True)
        subprocess.run([*apt_get, "install", "--yes", "--no-install-recommends", "nginx"], check=True)


def documented() -> str:
    found = re.search(r"```nginx\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found
    return found[1]


def replaced(text: str, old: str, new: str) -> str:
    assert old in text, f"{old} is not in the configuration of {DOCUMENT.name}"
    return text.replace(old, new)


@contextmanager
def nginx(folder: Path, port: int, configuration: str) -> Iterator[str]:
    """Run nginx with the documented configuration, or a variant of it, before the server on `port`; its https URL."""
    command = find_nginx()
    assert command, "there is no nginx: install it (python -m tests.nginx; Debian: apt-get install nginx)"
    folder.mkdir()
    listens, plain = free_port(), free_port()
    make_certificate(folder)
    configuration = replaced(configuration, "127.0.0.1:8180", f"127.0.0.1:{port}")
    configuration = replaced(configuration, "listen 80;", f"listen 127.0.0.1:{plain};")
    configuration = replaced(configuration, "listen 443 ", f"listen 127.0.0.1:{listens} ")
    configuration = replaced(configuration, "/etc/ssl/calls.example.org", f"{folder}/calls")
    file = folder / "nginx.conf"
    file.write_text(AROUND.format(folder=folder, configuration=configuration))
    started = [command, "-p", str(folder), "-c", str(file), "-e", f"{folder}/error.log"]
    process = subprocess.Popen([*started, "-g", "daemon off; master_process off;"])
    try:
        address = f"https://127.0.0.1:{listens}"
        eventually(lambda: process.poll() is not None or answers(address))
        assert process.poll() is None, (folder / "error.log").read_text()
        yield address
    finally:
        process.terminate()
        process.wait(DEADLINE)


def answers(address: str) -> bool:
    try:
        return bool(httpx.get(address, verify=False, timeout=DEADLINE).status_code)  # noqa: S501  (made below)
    except httpx.TransportError:
        return False


def make_certificate(folder: Path) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(folder / "calls.key"), "-out", str(folder / "calls.pem")),
        ],
        check=True,
        capture_output=True,
    )


if __name__ == "__main__":
    if not find_nginx():
        install()
    if not find_nginx():
        sys.exit("there is no nginx: install it")
