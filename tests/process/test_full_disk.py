"""The real process on a disk that is really full."""

import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from errno import ENOSPC
from io import RawIOBase
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.api import assert_problem
from tests.builders import body
from tests.process import eventually
from tests.process.test_streams import Viewer, watching
from tests.server import Server

NOTICE = "Database not writable since"

MOUNT = ("unshare", "--mount"), ("unshare", "--user", "--map-root-user", "--mount")
"""Commands that give a process its own mounts: as root, and as any user where the system allows it."""


class Disk(NamedTuple):
    """A server with data on a small disk, and a function that fills it."""

    server: Server
    full: Callable[[], AbstractContextManager[None]]


def limited_files(folder: Path) -> Disk:
    """Whatever the machine: the system refuses to let the files of the process grow."""
    server = Server(folder / "data", {})

    @contextmanager
    def full() -> Iterator[None]:
        soft, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (0, hard))
        try:
            yield
        finally:
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (soft, hard))

    return Disk(server, full)


def small_disk(folder: Path, unshare: tuple[str, ...]) -> Disk:
    """A disk of 4 MB, which the server alone has, with nothing left on it but a file that takes all there is."""
    disk = folder / "disk"
    disk.mkdir()
    mount = f'mount -t tmpfs -o size=4m none "{disk}" && exec "$@"'
    server = Server(disk / "data", {}, (*unshare, "sh", "-c", mount, "sh", sys.executable, "-m", "roompulse"))
    server.log = folder / "server.log"

    @contextmanager
    def full() -> Iterator[None]:
        filler = Path(f"/proc/{server.pid}/root") / disk.relative_to("/") / "filler"
        with filler.open("wb", buffering=0) as file:
            fill(file)
        try:
            yield
        finally:
            filler.unlink()

    return Disk(server, full)


def fill(file: RawIOBase) -> None:
    """Write until there is no space left."""
    try:
        while True:
            file.write(b"x" * 4096)
    except OSError as error:
        assert error.errno == ENOSPC  # noqa: PT017  (how many writes it takes is not known)


def can_mount(unshare: tuple[str, ...]) -> bool:
    mount = [*unshare, "mount", "-t", "tmpfs", "none", "/mnt"]
    return bool(shutil.which("unshare")) and subprocess.run(mount, check=False, capture_output=True).returncode == 0


USABLE = [unshare for unshare in MOUNT if can_mount(unshare)][:1]


@pytest.fixture(params=["files that must not grow", *("a disk of 4 MB" for _ in USABLE)])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    """Each kind that the machine allows, which is one at least."""
    return small_disk(tmp_path, USABLE[0]) if "4 MB" in request.param else limited_files(tmp_path)


class Ledger:
    """Reports, each by another user, and which users were acknowledged."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._posted = 0
        self.acknowledged: set[str] = set()

    def post(self, count: int) -> set[int]:
        """Post so many reports, and return the statuses of the answers."""
        statuses = set()
        for _ in range(count):
            user = f"u{self._posted}"
            self._posted += 1
            answer = self._server.post(body(user_id=user))
            statuses.add(answer.status_code)
            if answer.status_code == 200:
                self.acknowledged.add(user)
            else:
                assert_problem(answer, 503)
                assert int(answer.headers["retry-after"]) >= 1
        return statuses

    def saved(self) -> set[str]:
        return {sample["reporter_id"] for sample in self._server.get("/rooms/room-1/users.json").json()}


def notice(page: Viewer) -> str:
    """The notice as it is pushed next."""
    while 'hx-target="#notice"' not in (part := page.next("message").data):
        pass
    return part


def test_a_disk_that_is_full_refuses_reports_until_there_is_room_again(disk: Disk) -> None:
    server, ledger = disk.server, Ledger(disk.server)
    with server.running(), watching(server, "/rooms/room-1/stream") as page:
        assert NOTICE not in notice(page)
        assert ledger.post(5) == {200}
        with disk.full():
            # Some may still fit into free pages of the database's files.
            assert eventually(lambda: 503 in ledger.post(20))
            assert ledger.post(5) == {503}
            assert NOTICE in notice(page)
            for path in ("/", "/rooms/room-1", "/rooms/room-1/users/u0"):
                assert NOTICE in server.get(path).text
            for path in ("/report/metrics/room-1/u0", "/report/history/room-1/u0"):
                assert server.get(path).status_code == 200
        assert NOTICE not in notice(page)
        assert ledger.post(5) == {200}
        assert NOTICE not in server.get("/").text
        assert ledger.saved() == ledger.acknowledged
