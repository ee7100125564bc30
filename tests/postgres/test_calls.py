"""Calls and shared pages on PostgreSQL: the end of calls, jobs that change workers, and numbers of hidden users."""

import re
from contextlib import AsyncExitStack
from unittest.mock import AsyncMock

import pytest

from roompulse.app import create_app
from roompulse.core import Core
from roompulse.report.model import Entry
from roompulse.settings import Settings
from tests.api import data
from tests.builders import NOW, body, stream
from tests.calls import Calls
from tests.conftest import Clock, client_of


async def test_the_end_of_a_call_is_in_the_outbox_once(settings: Settings, clock: Clock) -> None:
    channel = {"name": "hook", "kind": "webhook", "url": "https://example.com/hook", "call_ended": True}
    async with Calls.of(settings, clock) as calls:
        assert (await calls.client.post("/report/alerts/channels", json=channel)).status_code == 201
        await calls.post(0, "ann", [Entry("ann", [stream()])])
        await calls.look()
        await calls.wait(60)
        await calls.wait(10)
        (told,) = await calls.core.outbox.newest(10)
        assert told.message.call
        assert (told.message.type, told.message.call.room_id) == ("call.ended", "room-1")
        report = await data(calls.client, f"/report/calls/room-1/{NOW}")
        assert [user["user_id"] for user in report["users"]] == ["ann"]


@pytest.mark.parametrize("failed", [False, True])
async def test_a_worker_that_takes_over_the_jobs_has_read_the_log(
    settings: Settings, clock: Clock, *, failed: bool
) -> None:
    """Otherwise it would record that the calls have ended which it does not know yet."""
    async with Calls.of(settings, clock) as one, Calls.of(settings, clock) as other:
        await one.post(0, "ann", [Entry("ann", [stream()])])
        if failed:
            other.core.health.failed("PostgreSQL was not reachable until now")
        assert other.core.rooms.ids() == []
        await jobs_of(other.core)
        assert other.core.rooms.ids() == ["room-1"]


async def test_a_fault_while_it_reads_keeps_no_worker_from_the_jobs(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with Calls.of(settings, clock) as calls:
        monkeypatch.setattr(calls.core.follower, "present", AsyncMock(side_effect=ValueError("a mistake")))
        await jobs_of(calls.core)
    assert "the log could not be read, retrying later" in caplog.text


async def jobs_of(core: Core) -> None:
    """Get the jobs that one worker runs, and run none of them."""
    jobs = await core._jobs_of_one()
    assert jobs
    for job in jobs:
        job.close()


async def test_hidden_users_have_the_same_numbers_at_each_worker(settings: Settings, clock: Clock) -> None:
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(client_of(create_app(settings, clock))) for _ in range(2)]
        for second, user_id in enumerate(("zoe", "bob", "ann")):
            clock.now = NOW + second
            await one.post("/report/metrics", content=body(user_id=user_id))
        share = {"path": "/rooms/room-1", "expires_in": 3600, "hide_ids": True}
        url = (await one.post("/report/shares", json=share)).json()["data"]["url"]
        pages = [(await client.get(url)).text for client in (other, one)]
        clock.now = NOW + 3
        await other.post("/report/metrics", content=body(user_id="aaron"))
        pages += [(await client.get(url)).text for client in (one, other)]
    shown = [re.findall(r'<tr id="user-([^"]+)"', page) for page in pages]
    assert shown[0] == shown[1] == ["user%203", "user%202", "user%201"]  # equals are listed by their ids
    assert shown[2] == shown[3] == ["user%204", *shown[0]]
    assert not [page for page in pages if re.search(r"\b(zoe|bob|ann|aaron)\b", page)]
