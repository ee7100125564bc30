"""The outbox: at least once, in the order of an alert, for a day; a channel that hangs or fails delays no other."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from roompulse.errors import BadRequest, NotFound
from roompulse.notify.channels import MAX_CHANNELS
from roompulse.notify.courier import FIRST_PAUSE, GIVE_UP_AFTER, LONGEST_PAUSE, pause_after
from roompulse.notify.model import Channel, Delivery, SendError
from roompulse.notify.store import MOST_DUE
from roompulse.settings import Settings
from tests.conftest import Clock
from tests.notify.world import Post, alert, post_of
from tests.unit.alerts.world import rule

FIRING, RESOLVED = "alert.firing a1", "alert.resolved a1"


@pytest.fixture
async def post(settings: Settings, clock: Clock) -> AsyncIterator[Post]:
    async with post_of(settings, clock) as post:
        yield post


async def test_every_channel_of_the_rule_is_told_once(post: Post) -> None:
    await post.put(alert())
    assert sorted(await post.deliver()) == [("one", FIRING), ("two", FIRING)]
    assert await post.deliver(2) == []
    assert post.counted == ["delivered"] * 2
    assert {one.outcome for one in await post.outbox.of_alert("a1")} == {"delivered"}


async def test_a_disabled_channel_is_not_told(post: Post) -> None:
    one = next(channel for channel in post.channels.all() if channel.name == "one")
    await post.channels.change(one.id, Channel("one", "webhook", enabled=False))
    await post.put(alert())
    assert await post.deliver() == [("two", FIRING)]


async def test_who_was_told_that_it_fires_is_told_that_it_is_over(post: Post) -> None:
    await post.put(alert())
    await post.deliver()
    post.rule = post.rule.__class__(name="n", severity="info", subject="user", when=post.rule.when, id="r1")
    await post.put(alert(state="resolved", resolved_at=post.clock()))
    assert sorted(await post.deliver()) == [("one", RESOLVED), ("two", RESOLVED)]


async def test_the_order_of_an_alert_is_kept_while_its_first_message_fails(post: Post) -> None:
    await post.put(alert())
    await post.put(alert(state="resolved", resolved_at=post.clock()))
    await post.put(alert(id="a2"))
    post.sender.faults = {"one": [SendError("503"), SendError("503")]}
    await post.deliver(3)
    post.clock.advance(FIRST_PAUSE)
    await post.deliver(3)
    post.clock.advance(2 * FIRST_PAUSE)
    sent = await post.deliver(3)
    assert [what for name, what in sent if name == "one"] == [FIRING, "alert.firing a2", RESOLVED]


async def test_a_channel_that_hangs_delays_no_other(post: Post) -> None:
    post.sender.hanging["one"] = asyncio.Event()
    await post.put(alert())
    await post.courier.deliver()
    await asyncio.sleep(0.05)
    assert post.sender.sent == [("two", FIRING)]
    await post.put(alert(id="a2"))
    for _ in range(3):
        await post.courier.deliver()
        await asyncio.sleep(0.05)
    assert post.sender.sent == [("two", FIRING), ("two", "alert.firing a2")]
    post.sender.hanging["one"].set()
    await post.courier.idle()
    assert ("one", FIRING) in post.sender.sent


async def test_many_messages_that_wait_for_a_channel_hold_up_no_other(post: Post) -> None:
    many = MOST_DUE + 1
    await post.put(*(alert(id=f"a{number}") for number in range(many)))
    post.sender.faults = {"one": [SendError("503")]}
    assert await post.deliver(3) == [("two", f"alert.firing a{number}") for number in range(many)]


async def test_what_is_delivered_while_the_outbox_is_read_is_not_sent_again(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = post.sender.hanging["one"] = asyncio.Event()
    post.rule = rule(channels=[one.id for one in post.channels.all() if one.name == "one"])
    await post.put(alert())
    await post.courier.deliver()
    due = post.outbox.due

    async def read_slowly(*which: Any) -> list[Delivery]:
        found = await due(*which)
        hangs.set()
        await post.courier.idle()
        await asyncio.sleep(0)
        return found

    monkeypatch.setattr(post.outbox, "due", read_slowly)
    await post.courier.deliver()
    await post.courier.idle()
    assert post.sender.sent == [("one", FIRING)]


async def test_what_cannot_be_made_waits_as_what_cannot_be_sent(post: Post) -> None:
    post.sender.faults = {"one": [ValueError("a header of two lines")]}
    await post.put(alert())
    assert await post.deliver(3) == [("two", FIRING)]
    assert "ValueError, see the log of the server" in {one.detail for one in await post.outbox.of_alert("a1")}
    post.clock.advance(FIRST_PAUSE)
    assert await post.deliver() == [("one", FIRING)]


async def test_pauses_grow_and_after_a_day_it_is_given_up(post: Post) -> None:
    post.sender.faults = {"one": [SendError("timeout") for _ in range(1000)]}
    await post.put(alert())
    attempts, started = [], post.clock()
    while post.clock() < started + GIVE_UP_AFTER + LONGEST_PAUSE:
        before = len(post.counted)
        await post.deliver()
        if len(post.counted) > before:
            attempts.append(post.clock() - started)
        post.clock.advance(FIRST_PAUSE if post.clock() < started + 600 else 300)
    assert attempts[:5] == [0, 5, 15, 35, 75]
    assert attempts[-1] <= GIVE_UP_AFTER
    (given_up,) = [one for one in await post.outbox.of_alert("a1") if one.outcome == "given_up"]
    assert given_up.detail == "timeout"
    assert given_up.attempts == len(attempts)


def test_pauses_are_bounded() -> None:
    assert [pause_after(attempts) for attempts in (1, 2, 3, 11, 10**6)] == [5, 10, 20, 3600, 3600]


async def test_what_will_not_heal_is_given_up_at_once_and_shown(post: Post) -> None:
    post.sender.faults = {"one": [SendError("410 Gone", final=True)]}
    await post.put(alert())
    await post.deliver()
    found = {one.outcome: one.detail for one in await post.outbox.newest(10)}
    assert found == {"given_up": "410 Gone", "delivered": "200 OK"}
    assert sorted(post.counted) == ["delivered", "given_up"]


async def test_a_receiver_may_ask_for_a_longer_pause(post: Post) -> None:
    post.sender.faults = {"one": [SendError("429", retry_after=60)]}
    await post.put(alert())
    await post.deliver()
    post.clock.advance(59)
    assert await post.deliver() == []
    post.clock.advance(1)
    assert await post.deliver() == [("one", FIRING)]


async def test_a_restart_sends_what_waits_and_nothing_twice(post: Post) -> None:
    post.sender.faults = {"one": [SendError("503")]}
    await post.put(alert())
    await post.deliver()
    ids = {one.message.id for one in await post.outbox.of_alert("a1")}
    post.new_courier()
    post.clock.advance(FIRST_PAUSE)
    assert await post.deliver(2) == [("one", FIRING)]
    assert {one.message.id for one in await post.outbox.of_alert("a1")} == ids
    assert len(ids) == 1


async def test_what_waits_for_a_channel_that_is_removed_is_given_up(post: Post) -> None:
    await post.put(alert())
    for channel in post.channels.all():
        await post.channels.remove(channel.id)
    assert await post.deliver() == []
    assert {one.detail for one in await post.outbox.newest(10)} == {"the channel was removed"}
    with pytest.raises(NotFound):
        await post.channels.remove("nothing")


async def test_old_messages_and_alerts_are_deleted(post: Post) -> None:
    await post.put(alert(state="resolved", resolved_at=post.clock()))
    await post.put(alert(id="a2"))
    await post.deliver()
    post.clock.advance(10)
    while await post.store.prune(post.clock(), post.clock()):
        pass
    assert await post.outbox.newest(10) == []
    assert [one.id for one, _ in (await post.store.load()).open_alerts] == ["a2"]


async def test_channels_that_are_added_at_once_stay_within_their_limit(post: Post) -> None:
    there = len(post.channels.all())
    hook = Channel("hook", "webhook", url="https://example.com/hook")
    adding = (post.channels.add(hook) for _ in range(MAX_CHANNELS - there + 2))
    answers = await asyncio.gather(*adding, return_exceptions=True)
    assert [str(one) for one in answers if isinstance(one, BadRequest)] == [
        f"$: there are {MAX_CHANNELS} channels already, the maximum"
    ] * 2
    assert len(post.channels.all()) == MAX_CHANNELS
