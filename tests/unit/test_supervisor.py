"""Workers and their ends; tests/postgres/test_supervisor.py has those of the real ones."""

import asyncio
import os
import threading
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from roompulse.supervisor import _end
from tests.process import DEADLINE, soon

pytestmark = pytest.mark.anyio


def has_ended_unreaped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


async def test_the_exit_code_of_a_worker_that_ends_by_itself_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    may_reap, waitpid = threading.Event(), os.waitpid

    def wait_later(pid: int, options: int) -> tuple[int, int]:
        if threading.current_thread() is not threading.main_thread():
            may_reap.wait(DEADLINE)
        return waitpid(pid, options)

    monkeypatch.setattr(os, "waitpid", wait_later)
    worker = await asyncio.create_subprocess_exec("sh", "-c", "exit 3", stdout=PIPE)

    async def has_ended() -> bool:
        return has_ended_unreaped(worker.pid)

    await soon(has_ended)
    ending = asyncio.create_task(_end(worker))
    await asyncio.sleep(0)
    may_reap.set()
    await ending
    assert worker.returncode == 3
