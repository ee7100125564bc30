"""Firefox as Debian has it, for Playwright, which drives it by WebDriver BiDi.

Playwright sends one command that Firefox 153 does not know. So Playwright starts this file, which starts Firefox,
passes all messages on, and answers that command itself. `python -m e2e.firefox` installs a Firefox where it is missing.
"""

import asyncio
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Playwright
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

PREFERENCES: dict[str, str | float | bool] = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.peerconnection.ice.loopback": True,
    "network.dns.localDomains": "office.test",
}
"""A camera and a microphone without permission prompts; connections between two browsers of this machine; a host
name that does not say that it is this machine."""

NOT_KNOWN = {"emulation.setMediaFeaturesOverride"}
LISTENS = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
BUILD = Path(__file__).parents[1] / "build"


def find_firefox() -> str | None:
    return shutil.which("firefox-esr") or shutil.which("firefox")


def install() -> None:
    if os.geteuid() == 0 and shutil.which("apt-get"):
        apt_get = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
        subprocess.run([*apt_get, "update"], check=True)
        subprocess.run([*apt_get, "install", "--yes", "--no-install-recommends", "firefox-esr"], check=True)


def launch(playwright: Playwright) -> Browser:
    assert find_firefox(), (
        "there is no Firefox: install it (python -m e2e.firefox; Debian: apt-get install firefox-esr)"
    )
    BUILD.mkdir(exist_ok=True)
    starter = BUILD / f"firefox-{os.getpid()}"
    starter.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "$@"\n')
    starter.chmod(starter.stat().st_mode | stat.S_IXUSR)
    try:
        return playwright.firefox.launch(channel="moz-firefox", executable_path=starter, firefox_user_prefs=PREFERENCES)
    finally:
        starter.unlink()


async def pass_on(client: ServerConnection, address: str) -> None:
    """Pass messages on between Playwright and Firefox, until one of them ends."""
    assert client.request
    async with connect(address + client.request.path, max_size=None) as browser:

        async def to_browser() -> None:
            async for message in client:
                command = json.loads(message)
                if command["method"] in NOT_KNOWN:
                    await client.send(json.dumps({"type": "success", "id": command["id"], "result": {}}))
                else:
                    await browser.send(message)

        async def to_client() -> None:
            async for message in browser:
                await client.send(message)

        tasks = [asyncio.create_task(to_browser()), asyncio.create_task(to_client())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()


async def run(arguments: list[str]) -> None:
    """Start Firefox, and give Playwright the address of the relay instead of Firefox's."""
    command = [find_firefox() or "firefox", *arguments]
    firefox = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    assert firefox.stderr
    async for line in firefox.stderr:
        text = line.decode()
        if found := LISTENS.search(text):
            text = text.replace(found[1], await relay(found[1]))
        sys.stderr.write(text)
        sys.stderr.flush()
    await firefox.wait()


async def relay(address: str) -> str:
    server = await serve(lambda client: pass_on(client, address), "127.0.0.1", 0, max_size=None)
    return f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(run(sys.argv[1:]))
    elif not find_firefox():
        install()
