"""Reports on calls that ended: one to each webhook that wants them, from the transaction that ends the call."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import Connection

from roompulse.errors import BadRequest, StoreError
from roompulse.notify.calls import WHOLE_AFTER
from roompulse.notify.channels import check_channel
from roompulse.notify.model import Channel, Delivery, EndedCall, Message, SendError
from roompulse.notify.webhook import signed_headers
from roompulse.report.model import Entry
from roompulse.settings import Settings
from roompulse.store.engine import Database
from roompulse.store.sessions import SqlSessions
from tests.api import data
from tests.api.test_overview import LOSSY
from tests.builders import NOW, stream
from tests.calls import Calls
from tests.conftest import Clock
from tests.notify.test_senders import receiver
from tests.notify.world import SECRET

CHANNELS = "/report/alerts/channels"


@pytest.fixture
async def calls(settings: Settings, clock: Clock) -> AsyncIterator[Calls]:
    async with Calls.of(replace(settings, alert_private_targets=True), clock) as calls:
        yield calls


async def add_channel(calls: Calls, url: str, **fields: Any) -> str:
    given = {"name": "hook", "kind": "webhook", "url": url, "secret": SECRET, "call_ended": True} | fields
    answer = await calls.client.post(CHANNELS, json=given)
    assert answer.status_code == 201, answer.text
    channel_id: str = answer.json()["data"]["id"]
    return channel_id


async def hold(calls: Calls) -> None:
    """A call of 20 s between u1, with poor quality, and u2, until both have left."""
    for second in (0, 10, 20):
        await calls.post(second, "u1", [Entry("u1", LOSSY)])
        await calls.post(second, "u2", [Entry("u2", [stream()])])
        await calls.look()
    await calls.wait(60)
    await calls.wait(10)


async def waiting(calls: Calls) -> list[Delivery]:
    return await calls.core.outbox.newest(10)


async def deliver(calls: Calls, clock: Clock) -> None:
    clock.advance(WHOLE_AFTER)
    await calls.core.courier.deliver()
    await calls.core.courier.idle()


async def test_the_report_is_posted_signed_and_once(calls: Calls, clock: Clock) -> None:
    async with receiver() as (received, url):
        await add_channel(calls, url)
        await hold(calls)
        await deliver(calls, clock)
        headers, message = received.headers(), msgspec.json.decode(received.body)
        signed = signed_headers(
            SECRET, headers["webhook-id"], clock(), received.body
        )  # of a time to come, by the clock
        assert headers["webhook-signature"] == signed["webhook-signature"]
        assert message["type"] == "call.ended"
        assert message["data"] == await data(calls.client, f"/report/calls/room-1/{NOW}")
        assert [user["user_id"] for user in message["data"]["users"]] == ["u1", "u2"]
        assert {user["left"] for user in message["data"]["users"]} == {NOW + 20}
        received.body = b""
        await deliver(calls, clock)
        assert received.body == b""
    (sent,) = await waiting(calls)
    assert (sent.outcome, sent.attempts, sent.message.call) == ("delivered", 1, EndedCall("room-1", NOW))


async def test_it_is_not_sent_before_the_report_is_whole(calls: Calls, clock: Clock) -> None:
    await add_channel(calls, "http://127.0.0.1:9/")
    await hold(calls)
    (found,) = await waiting(calls)
    assert found.next_at == pytest.approx(found.message.created_at + WHOLE_AFTER)
    assert await calls.core.outbox.due(clock(), calls.core.channels.ids()) == []


async def test_it_is_for_channels_that_want_it(calls: Calls) -> None:
    await add_channel(calls, "http://127.0.0.1:9/", call_ended=False)
    await add_channel(calls, "http://127.0.0.1:9/", enabled=False)
    wanted = [await add_channel(calls, "http://127.0.0.1:9/") for _ in range(2)]
    await hold(calls)
    found = await waiting(calls)
    assert {one.channel_id for one in found} == set(wanted)
    assert len({one.message.id for one in found}) == 1  # as with alerts, it is one message


async def test_a_call_that_is_erased_meanwhile_is_not_sent(calls: Calls) -> None:
    await add_channel(calls, "http://127.0.0.1:9/")
    await hold(calls)
    assert (await calls.client.delete("/report/history/room-1")).status_code == 200
    assert await waiting(calls) == []


async def test_a_call_that_is_not_retained_any_more_is_given_up(calls: Calls) -> None:
    channel_id = await add_channel(calls, "http://127.0.0.1:9/")
    channel = calls.core.channels.get(channel_id)
    message = Message("m", "call.ended", NOW, call=EndedCall("room-9", NOW))
    with pytest.raises(SendError, match="no longer retained") as raised:
        await calls.core.courier.send(channel, message)
    assert raised.value.final


async def test_the_end_of_a_call_and_its_message_are_one_transaction(settings: Settings) -> None:
    database = Database(settings)
    calls: list[tuple[str, int]] = []

    def ended(_connection: Connection, room_id: str, started_at: int) -> None:
        calls.append((room_id, started_at))
        if len(calls) == 1:
            raise StoreError("no space")

    async with database.open():
        sessions = SqlSessions(database, ended)
        await sessions.begin([("room-1", NOW)])
        with pytest.raises(StoreError):
            await sessions.end("room-1", NOW + 20)
        assert await sessions.unfinished() == ["room-1"]
        await sessions.end("room-1", NOW + 20)
        assert await sessions.unfinished() == []
        await sessions.end("room-1", NOW + 30)
    assert calls == [("room-1", NOW * 1000)] * 2


async def test_it_is_on_the_page_of_channels(calls: Calls) -> None:
    await add_channel(calls, "http://127.0.0.1:9/")
    await hold(calls)
    html = (await calls.client.get("/alerts/rules")).text
    assert f'call ended: <a class="id" href="calls/room-1/{NOW:.0f}">room-1</a>' in html


@pytest.mark.parametrize("kind", [{"kind": "email", "to": "a@example.com"}, {"kind": "apprise", "url": "json://h"}])
async def test_only_webhooks_can_be_told(kind: dict[str, str]) -> None:
    fields: dict[str, Any] = {"name": "c", "call_ended": True, **kind}
    with pytest.raises(BadRequest, match="call_ended: only for webhook"):
        await check_channel(Channel(**fields))
