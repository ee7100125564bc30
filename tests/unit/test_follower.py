"""Live rooms follow the log: others' commits are shown like local ones, and reads show all of them."""

import asyncio
from collections import deque
from random import Random

import httpx
import pytest

from roompulse.app import create_app
from roompulse.errors import TooManyRequests
from roompulse.events.model import EventQuery
from roompulse.report.model import Entry, Received
from roompulse.rooms.admission import Limits
from roompulse.settings import Settings
from tests.builders import NOW, body, network, received, report, stream
from tests.conftest import Clock, client_of
from tests.unit.ingest.test_ingest import World, outcomes, settled

pytestmark = pytest.mark.anyio


@pytest.fixture
def world() -> World:
    return World()


async def test_what_others_committed_is_shown_and_published_at_the_next_look(world: World) -> None:
    world.log.others = [received(NOW, user_id="u1"), received(NOW, user_id="u2")]
    await world.follower.present()
    assert world.user_ids() == ["u1", "u2"]
    assert world.hub.published == [["room-1"]]
    assert world.follower.intake.newest == NOW


async def test_what_others_committed_does_not_count_as_accepted_here(world: World) -> None:
    world.log.others = [received(NOW)]
    await world.follower.present()
    assert world.follower.intake.rate(NOW) == 0.1
    assert world.accepted() == 0
    async with world.running():
        await world.post("u2")
    assert world.accepted() == 1


async def test_who_asks_while_the_log_is_read_waits_for_the_next_read(world: World) -> None:
    """The current read may have begun before the commit that they need."""
    world.log.readable.clear()
    first = asyncio.create_task(world.follower.present())
    await settled()
    others = [asyncio.create_task(world.follower.present()) for _ in range(5)]
    await settled()
    assert world.log.looks == 1
    world.log.others = [received(NOW)]
    world.log.readable.set()
    await asyncio.gather(first, *others)
    assert (world.log.looks, world.user_ids()) == (2, ["u1"])


async def test_a_caller_who_gives_up_does_not_take_the_read_from_the_others(world: World) -> None:
    world.log.readable.clear()
    asked = [asyncio.create_task(world.follower.present()) for _ in range(3)]
    await settled()
    asked[0].cancel()
    await settled()
    asked[1].cancel()
    world.log.others = [received(NOW)]
    world.log.readable.set()
    await asked[2]
    assert world.user_ids() == ["u1"]


async def test_a_log_that_cannot_be_read_counts_as_a_database_that_is_down(world: World) -> None:
    world.log.unreadable = True
    await world.follower.present()
    assert world.health.failing_since == NOW
    await world.follower.present()
    assert world.log.looks == 1  # no read until it can be written again


async def test_a_process_that_stood_still_finds_what_came_due_before_each_report(world: World) -> None:
    """As those found it that did not: a call that ended, and another one."""
    world.log.others = [received(NOW), received(NOW + 100), received(NOW + 120)]
    world.clock.advance(120)
    await world.follower.present()
    room = world.rooms.get("room-1")
    assert room
    assert room.started_at == NOW + 100
    events, _ = await world.timeline.find(EventQuery("room-1"))
    assert [(event.time - NOW, event.kind) for event in events] == [
        (0, "room_started"),
        (0, "user_joined"),
        (15, "user_stale"),
        (60, "user_left"),
        (60, "room_ended"),
        (100, "room_started"),
        (100, "user_joined"),
        (115, "user_stale"),
        (120, "user_returned"),
    ]


async def test_time_passes_while_the_database_is_down(world: World) -> None:
    async with world.running():
        await world.post("u1")
    world.health.failed("no disk")
    world.clock.advance(15)
    await world.follower.present()
    assert [user.stale for user in world.users()] == [True]


async def test_whom_a_report_brings_may_be_there_already_by_another_process() -> None:
    """Limits include other workers' users: the room is full by them."""
    world = World(limits=Limits(rooms=9, room_users=2, user_streams=9))
    world.log.others = [received(NOW, user_id="u1"), received(NOW, user_id="u2")]
    async with world.running():
        (refused,) = await outcomes([world.post("u3")])
    assert refused is TooManyRequests


async def test_a_report_of_known_users_reads_no_log_before_its_commit(world: World) -> None:
    both = [Entry("u1", [stream()]), Entry("u2", [stream()])]
    world.log.others = [received(NOW, metrics=both)]
    await world.follower.present()
    looks = world.log.looks
    async with world.running():
        await world.post("u1")
    assert world.log.looks == looks


async def test_what_append_returns_of_others_is_shown_before_its_own(world: World) -> None:
    async with world.running():
        await world.post("u1")
        world.log.others = [received(NOW, user_id="u2")]
        await world.post("u1")
    assert world.user_ids() == ["u1", "u2"]
    assert world.log.others == []


async def test_a_level_is_dated_by_the_report_that_says_it_whoever_takes_the_next_one(world: World) -> None:
    poor = [Entry("u1", [stream(network=network(packet_loss=9))])]
    async with world.running():
        await world.post("u1")
        world.clock.advance(5)
        world.log.others = [received(NOW + 2, metrics=poor)]
        await world.ingest.begin(report(metrics=poor))
    world.clock.advance(10)
    await world.follower.present()
    events, _ = await world.timeline.find(EventQuery("room-1"))
    assert [event.time - NOW for event in events if event.kind == "level_changed"] == [2]


def of_u1(second: float, loss: float = 0.0) -> Received:
    return received(NOW + second, metrics=[Entry("u1", [stream(network=network(packet_loss=loss))])])


async def events_of(world: World) -> list[tuple[float, str, str]]:
    found, _ = await world.timeline.find(EventQuery("room-1"))
    return sorted((round(event.time - NOW, 3), event.kind, event.text) for event in found)


async def test_nobody_turns_stale_whose_report_is_only_not_read_yet() -> None:
    """Alerts are evaluated between two reads of the log: the user is not stale, and poor since its report."""
    world = World(others=True)
    world.log.others = [of_u1(0)]
    await world.follower.present()
    world.log.others = [of_u1(12, loss=9)]
    world.clock.advance(17)
    world.follower.expire()
    await world.follower.present()
    world.log.others = [of_u1(22, loss=9)]
    world.clock.advance(10)
    await world.follower.present()
    assert [(at, kind) for at, kind, _ in await events_of(world)] == [
        (0, "room_started"),
        (0, "user_joined"),
        (12, "level_changed"),
        (12, "verdict_changed"),
    ]


async def test_a_worker_that_does_not_reach_the_database_finds_afterwards_what_the_others_did() -> None:
    """Reports continued meanwhile: no user was silent, and the call did not end."""
    world = World(others=True)
    world.log.others = [of_u1(0)]
    await world.follower.present()
    world.health.failed("no network")
    for second in range(5, 100, 5):
        world.clock.advance(5)
        await world.follower.present()
        world.log.others.append(of_u1(second))
    world.health.wrote()
    await world.follower.present()
    assert [kind for _, kind, _ in await events_of(world)] == ["room_started", "user_joined"]
    room = world.rooms.get("room-1")
    assert room
    assert (room.started_at, room.users["u1"].joined_at) == (NOW, NOW)


@pytest.mark.parametrize("jump", [3600, -3600])
async def test_reports_of_a_worker_whose_clock_is_set_later_or_sooner_are_of_now(jump: float) -> None:
    """The database's clock was set: each worker asks for it every few seconds, at its own moment."""
    world = World(others=True)
    world.log.others = [of_u1(0), received(NOW, user_id="u2")]
    await world.follower.present()
    world.clock.advance(5)
    world.log.others = [received(NOW + 5 + jump, user_id="u2")]  # of one that has asked
    await world.follower.present()
    world.clock.set_by(jump)
    world.log.others = [of_u1(5)]  # of one that has not
    await world.follower.present()
    world.clock.advance(14)
    await world.follower.present()
    users = world.users()
    assert [(user.user_id, user.stale, user.received_at) for user in users] == [
        ("u1", False, NOW + jump + 5),
        ("u2", False, NOW + jump + 5),
    ]
    assert [kind for _, kind, _ in await events_of(world)] == ["room_started", "user_joined", "user_joined"]


@pytest.mark.parametrize("seed", range(40))
async def test_what_is_found_does_not_depend_on_when_a_worker_looks(seed: int) -> None:
    """Each worker looks, and searches, at moments of its own, and stands still now and then."""
    random = Random(seed)  # noqa: S311
    log = list[Received]()
    at = 0.0
    while at < 150:
        at = round(at + random.choice((0.01, 0.1, 0.25, 1, 4, 17)) * random.random(), 3)
        log.append(of_u1(at, loss=random.choice((0, 0, 9, 9, 40))))
    found = []
    for _ in range(3):
        world = World(others=True)
        unread = deque(log)
        while world.clock() < NOW + 300:
            passed = random.choice((0.05, 0.3, 1, 12)) * random.random()
            world.clock.now = min(NOW + 300, round(world.clock() + passed, 3))
            while unread and unread[0].at <= world.clock():
                world.log.others.append(unread.popleft())
            await world.follower.present()
            if random.random() < 0.3:
                await world.timeline.find(EventQuery("room-1"))
        found.append(await events_of(world))
    assert len({kind for _, kind, _ in found[0]}) > 4
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("seconds", [0, 1, 15, 20, 59])
async def test_a_room_is_the_same_after_a_restart_tag_and_all(settings: Settings, clock: Clock, seconds: float) -> None:
    """Also where changes since its last report are found at another moment: u1 is stale since NOW + 15."""
    seen: list[httpx.Response] = []
    for _ in range(2):
        async with client_of(create_app(settings, clock)) as client:
            if not seen:
                assert (await client.post("/report/metrics", content=body())).status_code == 200
                clock.advance(seconds)
            seen += [await client.get(f"/report/metrics/room-1{user}") for user in ("", "/u1")]
        clock.advance(0.5)
    assert [one.content for one in seen[:2]] == [one.content for one in seen[2:]]
    assert [one.headers["etag"] for one in seen[:2]] == [one.headers["etag"] for one in seen[2:]]
