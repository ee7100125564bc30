"""Calls and shared pages on PostgreSQL: messages about a call's end, and the numbers of hidden users."""

import re
from contextlib import AsyncExitStack

from roompulse.app import create_app
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
