"""Debian's WebKit (WebKitGTK), driven by WebDriver, as far as the tests of `make browsers` need it.

`python -m e2e.webkit` installs it where it is missing.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from benchmarks.processes import free_port

DEADLINE = 60.0
"""Seconds after which a test stops waiting for a page, even on a busy machine."""

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def browser_path() -> Path | None:
    return next(iter(sorted(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"))), None)


def is_there() -> bool:
    return bool(shutil.which("WebKitWebDriver") and shutil.which("Xvfb") and browser_path())


def install() -> None:
    if os.geteuid() == 0 and shutil.which("apt-get"):
        apt_get = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
        subprocess.run([*apt_get, "update"], check=True)
        command = [*apt_get, "install", "--yes", "--no-install-recommends", "webkit2gtk-driver", "xvfb"]
        subprocess.run(command, check=True)


class Window:
    """A session of WebDriver; each method acts on the window that was opened or switched to last."""

    def __init__(self, driver: str) -> None:
        self._http = httpx.Client(base_url=driver, timeout=DEADLINE)
        options = {"binary": str(browser_path()), "args": ["--automation"]}
        wanted = {"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}}
        self._session = f"/session/{self._send('POST', '/session', wanted)['sessionId']}"

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._http.request(method, path, json=body)
        found = answer.json()["value"]
        assert answer.is_success, found
        return found

    def _post(self, path: str, **body: Any) -> Any:
        return self._send("POST", self._session + path, body)

    def close(self) -> None:
        self._send("DELETE", self._session)
        self._http.close()

    def visit(self, url: str) -> None:
        self._post("/url", url=url)

    def open(self, url: str) -> str:
        """Open a window and switch to it; returns its handle."""
        handle: str = self._post("/window/new", type="window")["handle"]
        self.switch(handle)
        self.visit(url)
        return handle

    def switch(self, handle: str) -> None:
        self._post("/window", handle=handle)

    @property
    def handle(self) -> str:
        found: str = self._send("GET", f"{self._session}/window")
        return found

    def evaluate(self, expression: str) -> Any:
        return self._post("/execute/sync", script=f"return {expression}", args=[])

    def element(self, css: str) -> str:
        found: str = self._post("/element", using="css selector", value=css)[_ELEMENT]
        return found

    def click(self, css: str) -> None:
        self._post(f"/element/{self.element(css)}/click")

    def type(self, css: str, text: str) -> None:
        self._post(f"/element/{self.element(css)}/value", text=text)

    def press(self, key: str) -> None:
        keys = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self._post("/actions", actions=[{"type": "key", "id": "keyboard", "actions": keys}])

    def text(self, css: str = "body") -> str:
        found: str = self.evaluate(f"document.querySelector({css!r})?.innerText ?? ''")
        return found

    def until(self, expression: str, *, equals: Any = True) -> None:
        """Wait until an expression of the page has a value."""
        deadline = time.monotonic() + DEADLINE
        while (found := self.evaluate(expression)) != equals:
            assert time.monotonic() < deadline, f"{expression} is {found!r}, not {equals!r}"
            time.sleep(0.1)

    def until_text(self, text: str, css: str = "body") -> None:
        self.until(f"(document.querySelector({css!r})?.innerText ?? '').includes({text!r})")

    def until_live(self) -> None:
        self.until("/live|waiting/.test(document.querySelector('#connection')?.dataset.state ?? '')")


@contextmanager
def webkit() -> Iterator[Window]:
    """A separate WebKit, on a virtual screen."""
    display, port = f":{free_port()}", free_port()
    environment = os.environ | {"DISPLAY": display, "LIBGL_ALWAYS_SOFTWARE": "1", "GTK_A11Y": "none"}
    screen = subprocess.Popen(["Xvfb", display, "-screen", "0", "1600x1200x24", "-nolisten", "tcp"])
    driver = subprocess.Popen(["WebKitWebDriver", f"--port={port}"], env=environment)
    try:
        wait_for(port)
        window = Window(f"http://127.0.0.1:{port}")
        yield window
        window.close()
    finally:
        for process in (driver, screen):
            process.terminate()
            process.wait(DEADLINE)


def wait_for(port: int) -> None:
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/status", timeout=DEADLINE)
        except httpx.TransportError:
            assert time.monotonic() < deadline, "WebKitWebDriver does not answer"
            time.sleep(0.1)
        else:
            return


if __name__ == "__main__":
    if not is_there():
        install()
    if not is_there():
        sys.exit("there is no WebKit: install it (Debian: apt-get install webkit2gtk-driver xvfb)")
