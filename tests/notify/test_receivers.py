"""The receivers of docs/alerts.md: each accepts the server's messages, and nothing else."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from roompulse.clock import system_clock
from roompulse.net import listen
from roompulse.notify.model import Channel, SendError
from roompulse.notify.targets import Targets
from roompulse.notify.webhook import WebhookSender, signed_headers
from tests.notify.world import SECRET, alert, message, no_report
from tests.process import eventually
from tests.test_docs import ROOT

TEXT = (ROOT / "docs" / "alerts.md").read_text()
PROGRAMS = dict(re.findall(r"^```(python|js)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE))
RUN = {"python": ([sys.executable, "-u"], "py"), "js": (["node"], "mjs")}
HERE = [language for language, (command, _) in RUN.items() if shutil.which(command[0])]


@contextmanager
def running(language: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """The address of the receiver, and the file of its output."""
    command, suffix = RUN[language]
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
    program, printed = folder / f"receiver.{suffix}", folder / "printed"
    program.write_text(PROGRAMS[language].replace("whsec_…", SECRET).replace("9000", str(port)))
    with printed.open("wb") as output, subprocess.Popen([*command, program], stdout=output) as process:
        try:
            eventually(lambda: _listens(port))
            yield f"http://127.0.0.1:{port}/", printed
        finally:
            process.kill()


def _listens(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/")
    except httpx.TransportError:
        return False
    return True


@pytest.mark.parametrize("language", HERE)
async def test_it_takes_what_is_signed(language: str, tmp_path: Path) -> None:
    with running(language, tmp_path) as (url, printed):
        sender = WebhookSender(Targets(private=True), system_clock, no_report)
        await sender.send(Channel("hook", "webhook", url=url, secret=SECRET), message())
        assert printed.read_text() == f"alert.firing {alert().text}\n"
        with pytest.raises(SendError):
            await sender.send(Channel("hook", "webhook", url=url, secret=f"{SECRET[:-4]}AAAA"), message())
        assert printed.read_text().count("\n") == 1


@pytest.mark.parametrize("language", HERE)
def test_it_takes_nothing_that_is_old_or_not_signed(language: str, tmp_path: Path) -> None:
    old = round(system_clock()) - 3600
    with running(language, tmp_path) as (url, printed), httpx.Client(base_url=url) as client:
        for headers in ({}, signed_headers(SECRET, "msg_1", old, b"{}")):
            with suppress(httpx.RemoteProtocolError):  # Python's server closes the connection of a request that raises
                assert client.post("/", headers=headers, content=b"{}").status_code >= 400
        assert printed.read_text() == ""


def test_there_is_one_for_each_language() -> None:
    assert set(PROGRAMS) == set(RUN)
    assert "python" in HERE
