"""The browser that the tests drive: one that is there, else one that is installed the way that works.

`python -m e2e.chromium` installs it where it is missing.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

HEADLESS_SHELL = "chromium-headless-shell"
"""Chromium without the windows around pages: a test's context takes a third of the time."""

NAMES = (HEADLESS_SHELL, "chromium", "chromium-browser", "google-chrome")

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP office.test 127.0.0.1",  # a name that is not that of this machine
]


def find_chromium() -> str | None:
    """ROOMPULSE_CHROMIUM, else a Chromium on the PATH; None is Playwright's own."""
    if named := os.environ.get("ROOMPULSE_CHROMIUM"):
        return named
    return next(filter(None, map(shutil.which, NAMES)), None)


def is_there() -> bool:
    if find_chromium():
        return True
    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path).exists()


def install() -> None:
    """Install a Chromium by apt-get where that is possible, else by Playwright unless there is one."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        apt_get = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
        subprocess.run([*apt_get, "update"], check=False)
        if any(_succeeds(*apt_get, "install", "--yes", "--no-install-recommends", name) for name in NAMES[:2]):
            return
    if not is_there():
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, check=False).returncode == 0


if __name__ == "__main__":
    if "ROOMPULSE_CHROMIUM" not in os.environ and not shutil.which(HEADLESS_SHELL):
        install()
    if not is_there():
        sys.exit("there is no Chromium: install one, or name one in ROOMPULSE_CHROMIUM")
