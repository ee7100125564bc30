import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from functools import partial
from typing import TypeVar

import pytest
from msgspec.structs import replace

from roompulse.errors import BadRequest, Problem, StoreError, TooManyRequests, Unavailable
from roompulse.follower import Follower
from roompulse.hub.contract import View
from roompulse.hub.mailbox import Mailbox
from roompulse.ingest.ingest import MAX_BATCH, Ingest
from roompulse.ingest.large_reports import Reporter
from roompulse.ingest.parts import PART
from roompulse.intake.intake import Intake
from roompulse.meters import Meters
from roompulse.report.model import Entry, Received, Report
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.model import UserMetrics
from roompulse.rooms.room import RoomState
from roompulse.store.availability import Availability
from tests.builders import NOW, network, received, report, stream, video
from tests.conftest import Clock
from tests.timelines import timeline_of

COMMIT_TIMEOUT = 10.0


class FakeLog:
    """Keeps appended reports in a list; a commit takes as long as a test keeps `open` unset."""

    def __init__(self) -> None:
        self.kept: list[Received] = []
        self.commits: list[list[str]] = []
        """The reporters of each commit, failed or not."""
        self.poison: set[str] = set()
        self.out = False
        """Whether nothing at all can be written."""
        self.probes = 0
        self.failure: type[Exception] = StoreError
        self.open = asyncio.Event()
        self.open.set()
        self.others: list[Received] = []
        """Other processes' commits that this one has not read yet."""
        self.looks = 0
        self.unreadable = False
        self.readable = asyncio.Event()
        self.readable.set()

    def prepared(self, received: Received) -> Received:
        return replace(received, rows=())

    async def append(self, reports: Sequence[Received]) -> Sequence[Received]:
        self.commits.append([one.report.user_id for one in reports])
        await self.open.wait()
        if self.out or self.poison & {one.report.user_id for one in reports}:
            raise self.failure("the database failed")
        first = len(self.kept) + 1
        committed = [replace(one, position=number, rows=None) for number, one in enumerate(reports, first)]
        self.kept += committed
        news, self.others = self.others, []
        return [*news, *committed]

    async def news(self) -> Sequence[Received]:
        """The commits of `others`."""
        self.looks += 1
        await self.readable.wait()
        if self.unreadable:
            raise StoreError("the database failed")
        news, self.others = self.others, []
        return news

    async def check(self) -> None:
        raise NotImplementedError

    async def probe(self) -> None:
        self.probes += 1
        if self.out:
            raise self.failure("the database failed")

    async def recent(self, since: float) -> AsyncIterator[Received]:
        for one in self.kept:
            if one.at > since:
                yield one


T = TypeVar("T")


class FakeHub:
    def __init__(self) -> None:
        self.viewers = 0
        self.published: list[list[str]] = []
        self.refreshed = 0
        self.refreshed_everywhere = 0

    def subscribe(self, view: View) -> AbstractContextManager[Mailbox]:
        raise NotImplementedError

    async def render(self, render: Callable[[], T]) -> T:
        raise NotImplementedError

    def publish(self, room_ids: Iterable[str]) -> None:
        if rooms := sorted(room_ids):
            self.published.append(rooms)

    def refresh(self, *, everywhere: bool = False) -> None:
        self.refreshed += 1
        self.refreshed_everywhere += everywhere

    def close(self) -> None:
        raise NotImplementedError


class World:
    def __init__(self, max_queue: int = 10_000, limits: Limits | None = None, *, others: bool = False) -> None:
        """`others`: other processes use the database too."""
        self.others_within = COMMIT_TIMEOUT if others else None
        self.clock = Clock()
        self.meters = Meters()
        self.log = FakeLog()
        self.hub = FakeHub()
        self.rooms = RoomsInMemory(limits or Limits(100, 1000, 100), stale_after=15, leave_after=60)
        self.start(max_queue)

    def start(self, max_queue: int) -> None:
        self.health = Availability(self.log, self.meters, self.clock, partial(self.hub.refresh, everywhere=True))
        intake, self.timeline = Intake(self.meters, self.clock), timeline_of(self.rooms, self.clock)
        self.follower = Follower(
            self.log,
            self.health,
            self.rooms,
            self.hub,
            intake,
            self.timeline,
            self.clock,
            others_within=self.others_within,
        )
        self.ingest = Ingest(
            self.log,
            self.health,
            self.rooms,
            self.follower,
            self.meters,
            self.clock,
            max_queue=max_queue,
            commit_timeout=COMMIT_TIMEOUT,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        taking = asyncio.create_task(self.ingest.run())
        try:
            yield
        finally:
            self.log.open.set()
            self.ingest.close()
            async with asyncio.timeout(5):
                await taking

    def post(self, user_id: str = "u1", room_id: str = "room-1") -> "asyncio.Task[None]":
        return asyncio.create_task(self.submit(user_id, room_id))

    async def submit(self, user_id: str, room_id: str) -> None:
        await self.ingest.begin(report(user_id=user_id, room_id=room_id))

    def accepted(self) -> float:
        """Reports that Prometheus counts as accepted by this process."""
        return self.meters.registry.get_sample_value("roompulse_reports_total", {"outcome": "accepted"}) or 0

    def users(self, room_id: str = "room-1") -> list[UserMetrics]:
        room = self.rooms.get(room_id)
        return room.metrics().users if room else []

    def user_ids(self, room_id: str = "room-1") -> list[str]:
        return [user.user_id for user in self.users(room_id)]


@pytest.fixture
async def world() -> World:
    return World()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def outcomes(tasks: Iterable["asyncio.Task[None]"]) -> list[type[BaseException] | None]:
    """How each of the reports was answered: None is an acknowledgement."""
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    return [type(answer) if answer else None for answer in answers]


class TestWhatIsCounted:
    def counted(self, world: World, name: str, **labels: str) -> float | None:
        return world.meters.registry.get_sample_value(f"roompulse_{name}", labels)

    async def test_is_each_commit_and_what_is_in_it(self, world: World) -> None:
        async with world.running():
            assert await outcomes([world.post(f"u{number}") for number in range(3)]) == [None] * 3
            assert await outcomes([world.post()]) == [None]
        assert self.counted(world, "reports_total", outcome="accepted") == 4
        assert self.counted(world, "commit_seconds_count") == 2
        assert self.counted(world, "batch_reports_sum") == 4
        assert self.counted(world, "batch_reports_bucket", le="1.0") == 1

    async def test_is_no_report_that_could_not_be_saved(self, world: World) -> None:
        world.log.poison = {"u1"}
        async with world.running():
            await outcomes([world.post("u1"), world.post("u2")])
        assert self.counted(world, "reports_total", outcome="accepted") == 1

    async def test_is_what_waits(self, world: World) -> None:
        async with world.running():
            world.log.open.clear()
            posted = [world.post("u1"), world.post("u2")]
            await settled()
            assert world.ingest.waiting == 2
            world.log.open.set()
            await outcomes(posted)
            await settled()
            assert world.ingest.waiting == 0


class TestAReport:
    async def test_is_saved_then_shown_then_published_then_answered(self, world: World) -> None:
        async with world.running():
            await world.ingest.begin(report())
            assert world.log.kept == [received(NOW, position=1)]
            assert world.user_ids() == ["u1"]
            assert world.hub.published == [["room-1"]]

    async def test_is_neither_shown_nor_answered_before_it_is_committed(self, world: World) -> None:
        async with world.running():
            world.log.open.clear()
            posted = world.post()
            await settled()
            assert world.log.commits == [["u1"]]
            assert not posted.done()
            assert (world.rooms.ids(), world.hub.published) == ([], [])
            world.log.open.set()
            assert await outcomes([posted]) == [None]
            assert (world.rooms.ids(), world.hub.published) == (["room-1"], [["room-1"]])

    async def test_counts_from_its_receipt_and_not_from_its_commit(self, world: World) -> None:
        async with world.running():
            world.log.open.clear()
            posted = world.post()
            await settled()
            world.clock.advance(5)
            world.log.open.set()
            await posted
            assert world.users()[0].received_at == NOW

    async def test_is_taken_though_its_sender_left(self, world: World) -> None:
        async with world.running():
            world.log.open.clear()
            left, stays = world.post("u1"), world.post("u2")
            await settled()
            left.cancel()
            world.log.open.set()
            assert await outcomes([left, stays]) == [asyncio.CancelledError, None]
            assert world.user_ids() == ["u1", "u2"]


class TestABatch:
    async def test_is_what_arrived_while_the_one_before_was_committed(self, world: World) -> None:
        async with world.running():
            world.log.open.clear()
            posted = [world.post("u1")]
            await settled()
            posted += [world.post(user_id) for user_id in ("u2", "u3", "u4")]
            await settled()
            world.log.open.set()
            assert await outcomes(posted) == [None] * 4
            assert world.log.commits == [["u1"], ["u2", "u3", "u4"]]

    async def test_publishes_each_room_that_it_touched_once(self, world: World) -> None:
        async with world.running():
            rooms = ["a", "b", "a", "c", "b", "a"]
            assert await outcomes([world.post(f"u{n}", room) for n, room in enumerate(rooms)]) == [None] * 6
            assert world.hub.published == [["a", "b", "c"]]

    async def test_is_bounded(self, world: World) -> None:
        async with world.running():
            posted = [world.post() for _ in range(MAX_BATCH + 1)]
            assert await outcomes(posted) == [None] * (MAX_BATCH + 1)
            assert [len(commit) for commit in world.log.commits] == [MAX_BATCH, 1]

    async def test_keeps_the_order_of_receipt(self, world: World) -> None:
        async with world.running():
            world.log.open.clear()
            posted = []
            for number in range(5):
                posted.append(world.post(f"u{number}"))
                await settled()
                world.clock.advance(1)
            world.log.open.set()
            assert await outcomes(posted) == [None] * 5
            assert [one.at for one in world.log.kept] == [NOW + number for number in range(5)]
            assert [user.received_at for user in world.users()] == [NOW + number for number in range(5)]

    async def test_first_lets_those_go_who_left(self, world: World) -> None:
        async with world.running():
            await world.ingest.begin(report("u1", "a"))
            world.clock.advance(60)
            await world.ingest.begin(report("u2", "b"))
            assert world.rooms.ids() == ["b"]
            assert world.hub.published == [["a"], ["a"], ["b"]]


class TestALargeReport:
    def post(self, world: World, user_id: str, sender: str = "", fault: Problem | None = None) -> "asyncio.Task[None]":
        def decode() -> Report:
            if fault:
                raise fault
            return report(user_id=user_id, sdk_version="large")

        reporter = Reporter("room-1", user_id)
        return asyncio.create_task(world.ingest.submit_large(decode, reporter, sender, by_token=False))

    def turn(self, world: World) -> AbstractAsyncContextManager[Callable[[], None]]:
        """The turn of another large report."""
        return world.ingest._large.turn(Reporter("room-2", "other"), "other", COMMIT_TIMEOUT)

    async def is_queued(self, world: World, user_id: str) -> None:
        async with asyncio.timeout(5):
            while user_id not in [waiting.received.report.user_id for waiting in world.ingest._queue]:
                await asyncio.sleep(0.001)

    async def test_is_a_commit_of_its_own(self, world: World) -> None:
        world.log.open.clear()
        async with world.running():
            first = world.post("u1")
            await settled()
            posts = [self.post(world, "big 1")]
            await self.is_queued(world, "big 1")
            posts += [world.post("u2"), self.post(world, "big 2"), world.post("u3")]
            await settled()
            world.log.open.set()
            assert await outcomes([first, *posts]) == [None] * 5
        assert world.log.commits == [["u1"], ["big 1"], ["u2", "u3"], ["big 2"]]
        assert world.user_ids() == ["big 1", "big 2", "u1", "u2", "u3"]

    async def test_lets_others_go_first_until_it_is_its_turn(self, world: World) -> None:
        async with world.running():
            async with self.turn(world):
                posted = self.post(world, "big")
                assert await outcomes([world.post("u1")]) == [None]
                assert world.ingest.waiting == 2
            assert await outcomes([posted]) == [None]
            assert world.ingest.waiting == 0
        assert world.log.commits == [["u1"], ["big"]]

    async def test_is_not_overtaken_by_a_later_one_of_its_reporter(self, world: World) -> None:
        async with world.running():
            async with self.turn(world):
                posts = []
                for post in (partial(self.post, world), world.post) * 2:
                    posts.append(post("u1"))
                    await settled()
                assert await outcomes([world.post("u2")]) == [None]
                assert not any(post.done() for post in posts)
            assert await outcomes(posts) == [None] * 4
        assert world.log.commits == [["u2"], ["u1"], ["u1"], ["u1"], ["u1"]]
        assert [one.report.sdk_version for one in world.log.kept[1:]] == ["large", "1.2.0", "large", "1.2.0"]

    async def test_that_is_refused_lets_those_behind_it_go(self, world: World) -> None:
        async with world.running():
            async with self.turn(world):
                posts = [self.post(world, "u1", fault=BadRequest("$: no"))]
                await settled()
                posts += [world.post("u1")]
                await settled()
            assert await outcomes(posts) == [BadRequest, None]
        assert world.log.commits == [["u1"]]

    async def test_does_not_turn_back_the_time_of_the_log(self, world: World) -> None:
        async with world.running():
            async with self.turn(world):
                posts = [self.post(world, "big")]
                await settled()
                posts += [world.post("big")]
                for _ in range(4):
                    world.clock.advance(1)
                    await outcomes([world.post("u1")])
            assert await outcomes(posts) == [None, None]
        assert [one.at - NOW for one in world.log.kept] == [1, 2, 3, 4, 4, 4]
        shown = world.rooms.get("room-1")
        world.rooms = RoomsInMemory(Limits(100, 1000, 100), stale_after=15, leave_after=60)
        world.start(max_queue=10)
        await world.follower.rebuild(60)
        rebuilt = world.rooms.get("room-1")
        assert shown
        assert rebuilt
        assert rebuilt.metrics() == shown.metrics()

    def post_of_server(self, world: World, users: int) -> "asyncio.Task[None]":
        """A report of PART streams a part; later ones of its reporter are held behind it."""
        entries = [Entry(f"user {number:04}", [stream()]) for number in range(users)]
        decode = partial(report, "server", metrics=entries, role="server")
        return asyncio.create_task(
            world.ingest.submit_large(decode, Reporter("room-1", "server"), "sfu", by_token=False)
        )

    def post_next_of_server(self, world: World) -> "asyncio.Task[None]":
        async def submit() -> None:
            await world.ingest.begin(report("server", role="server", metrics=[]), "sfu")

        return asyncio.create_task(submit())

    async def commit_begins(self, world: World) -> None:
        async with asyncio.timeout(5):
            while not world.log.commits:
                await asyncio.sleep(0.001)

    def parts(self, world: World) -> list[tuple[int, bool]]:
        """The entries of each part that is committed, and whether it continues one."""
        return [(len(one.report.metrics), one.continues) for one in world.log.kept if one.report.user_id == "server"]

    async def test_of_a_media_server_lets_others_go_between_its_parts(self, world: World) -> None:
        world.log.open.clear()
        async with world.running():
            posted = [self.post_of_server(world, PART + 1)]
            await settled()
            posted += [world.post("u1"), self.post_next_of_server(world)]
            await settled()
            world.log.open.set()
            assert await outcomes(posted) == [None, None, None]
        assert world.log.commits == [["server"], ["u1"], ["server"], ["server"]]
        assert self.parts(world) == [(PART, False), (1, True), (0, False)]
        assert len(world.user_ids()) == PART + 2

    async def test_counts_as_one_however_many_parts_it_has(self, world: World) -> None:
        async with world.running():
            await self.post_of_server(world, PART + 1)
        assert world.accepted() == 1
        (health,) = world.ingest.intake.health()
        assert (health.taken, health.repeated) == (1, 0)

    async def test_that_does_not_fit_as_a_whole_is_saved_in_no_part(self, world: World) -> None:
        async with world.running():
            assert await outcomes([self.post_of_server(world, 1001)]) == [TooManyRequests]
        assert world.log.commits == []

    async def test_that_fits_is_taken_as_a_whole_though_its_sender_may_bring_in_no_more(self, world: World) -> None:
        world.rooms = RoomsInMemory(Limits(100, 9999, 100, sender_users=PART), stale_after=15, leave_after=60)
        world.start(max_queue=10)
        async with world.running():
            assert await outcomes([self.post_of_server(world, 2 * PART)]) == [None]
            assert await outcomes([self.post_of_server(world, 2 * PART + 1)]) == [TooManyRequests]
        assert len(world.user_ids()) == 2 * PART

    async def test_whose_later_part_cannot_be_saved_is_not_acknowledged_nor_counted(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        append = world.log.append

        async def append_first(reports: Sequence[Received]) -> Sequence[Received]:
            world.log.out = bool(world.log.kept)
            return await append(reports)

        monkeypatch.setattr(world.log, "append", append_first)
        async with world.running():
            assert await outcomes([self.post_of_server(world, PART + 1)]) == [Unavailable]
        assert len(world.user_ids()) == PART
        assert world.accepted() == 0

    async def test_whose_parts_take_too_long_together_is_refused(self, world: World) -> None:
        """Else its sender would give up first, and send all of it again."""
        append = world.log.append
        world.ingest._commit_timeout = 0.05

        async def slow(reports: Sequence[Received]) -> Sequence[Received]:
            await asyncio.sleep(0.02)
            return await append(reports)

        world.log.append = slow  # type: ignore[method-assign]
        world.rooms = RoomsInMemory(Limits(100, 9999, 100), stale_after=15, leave_after=60)
        world.start(max_queue=10)
        world.ingest._commit_timeout = 0.05
        async with world.running():
            assert await outcomes([self.post_of_server(world, 9 * PART)]) == [Unavailable]
            assert await outcomes([self.post_next_of_server(world)]) == [None]
        assert world.accepted() == 1

    @pytest.mark.parametrize("ends", ["the sender leaves", "the server stops"])
    async def test_that_is_cut_short_holds_up_nothing(self, world: World, ends: str) -> None:
        world.log.open.clear()
        async with world.running():
            large, behind = self.post_of_server(world, PART + 1), self.post_next_of_server(world)
            await self.commit_begins(world)
            await settled()
            if ends == "the sender leaves":
                large.cancel()
                await settled()
            else:
                world.ingest.close()
            world.log.open.set()
            assert await outcomes([behind]) == [None]
        cut = [(PART, False), (0, False)]
        assert self.parts(world) == (cut if ends == "the sender leaves" else [cut[0], (1, True), cut[1]])

    async def test_is_taken_whole_when_the_clock_is_set_between_its_parts(self, world: World) -> None:
        world.log.open.clear()
        async with world.running():
            posted = self.post_of_server(world, PART + 1)
            await self.commit_begins(world)
            world.ingest._clock_was_set(-3600, NOW - 3600)
            world.log.open.set()
            assert await outcomes([posted]) == [None]
        assert self.parts(world) == [(PART, False), (1, True)]

    async def test_takes_turns_with_those_of_other_senders(self, world: World) -> None:
        async with world.running():
            async with self.turn(world):
                posts = [self.post(world, f"a{number}", "a") for number in range(3)]
                await settled()
                posts += [self.post(world, "b1", "b")]
                await settled()
            assert await outcomes(posts) == [None] * 4
        assert world.log.commits == [["a0"], ["b1"], ["a1"], ["a2"]]

    async def test_that_waits_too_long_for_others_is_refused_and_not_saved(self, world: World) -> None:
        world.ingest._commit_timeout = 0.01
        async with world.running():
            async with self.turn(world):
                assert await outcomes([self.post(world, "big")]) == [Unavailable]
            assert world.ingest.waiting == 0
        assert world.log.commits == []

    async def test_whose_sender_is_gone_holds_up_nothing(self, world: World) -> None:
        async with world.running():
            async with self.turn(world):
                posted = self.post(world, "big")
                await settled()
                behind = world.post("big")
                await settled()
                posted.cancel()
                assert await outcomes([behind]) == [None]
            assert world.ingest.waiting == 0
        assert world.log.commits == [["big"]]

    async def test_and_those_behind_it_count_for_the_bound_of_the_queue(self) -> None:
        world = World(max_queue=3)
        async with world.running():
            async with self.turn(world):
                posts = [self.post(world, "big")]
                await settled()
                posts += [world.post("big")]
                await settled()
                assert await outcomes([world.post("u1"), self.post(world, "big 2")]) == [Unavailable] * 2
            assert await outcomes(posts) == [None, None]

    async def test_keeps_its_age_when_the_clock_is_set(self, world: World) -> None:
        world.log.open.clear()
        async with world.running():
            first = world.post("u1")
            await settled()
            posted = self.post(world, "big")
            await self.is_queued(world, "big")
            world.clock.set_by(1000)
            world.log.open.set()
            assert await outcomes([first, posted]) == [None, None]
        assert [one.at for one in world.log.kept] == [NOW, NOW + 1000]

    async def test_is_answered_once_the_figures_of_its_room_are_worked_out(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("roompulse.follower.LARGE", 1)
        monkeypatch.setattr("roompulse.rooms.room.INDEXED_FROM", 1)
        async with world.running():
            posted = self.post(world, "big")
            async with asyncio.timeout(5):
                while not world.user_ids():
                    await asyncio.sleep(0.001)
            await settled()
            assert not posted.done()
            assert await outcomes([world.post("u1")]) == [None]
            working = asyncio.create_task(world.follower.work_ahead())
            assert await outcomes([posted]) == [None]
            room = world.rooms.get("room-1")
            assert room
            assert list(room.steps()) == []
            working.cancel()

    async def test_does_not_wait_for_the_figures_of_its_room_for_ever(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("roompulse.follower.LARGE", 1)
        monkeypatch.setattr("roompulse.follower.MOST_AHEAD", 0.01)
        async with world.running():
            assert await outcomes([self.post(world, "big 1"), self.post(world, "big 2")]) == [None, None]

    async def test_of_a_room_whose_figures_fail_is_answered_and_so_are_others(
        self, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr("roompulse.follower.LARGE", 1)
        monkeypatch.setattr("roompulse.follower.MOST_AHEAD", 60)

        def fail(_room: object) -> None:
            raise ValueError

        monkeypatch.setattr(RoomState, "steps", fail)
        async with world.running():
            working = asyncio.create_task(world.follower.work_ahead())
            assert await outcomes([self.post(world, "big 1"), self.post(world, "big 2")]) == [None, None]
            working.cancel()
        assert caplog.text.count("the figures of room room-1 could not be worked out ahead") == 2

    async def test_that_is_prepared_when_the_ingest_is_closed_is_saved(self, world: World) -> None:
        async with world.running():
            posted = self.post(world, "big")
            await asyncio.sleep(0)
        assert await outcomes([posted]) == [None]
        assert world.log.commits == [["big"]]


class TestAFailure:
    async def test_of_the_store_is_retried_one_by_one_and_fails_only_the_poison(self, world: World) -> None:
        async with world.running():
            world.log.poison = {"u2"}
            posted = [world.post(user_id) for user_id in ("u1", "u2", "u3")]
            assert await outcomes(posted) == [None, Unavailable, None]
            assert world.log.commits == [["u1", "u2", "u3"], ["u1"], ["u2"], ["u3"]]
            assert world.health.failing_since is None
            assert world.user_ids() == ["u1", "u3"]
            assert [one.report.user_id for one in world.log.kept] == ["u1", "u3"]

    async def test_says_when_to_try_again_and_not_what_went_wrong_inside(self, world: World) -> None:
        async with world.running():
            world.log.poison = {"u1"}
            with pytest.raises(Unavailable, match="the report could not be saved") as refused:
                await world.ingest.begin(report())
            assert refused.value.status == 503
            assert refused.value.retry_after
            assert "database" not in refused.value.message

    async def test_of_everything_refuses_the_batch_after_one_probe(self, world: World) -> None:
        async with world.running():
            world.log.out = True
            posted = [world.post(f"u{number}") for number in range(100)]
            assert await outcomes(posted) == [Unavailable] * 100
            assert (len(world.log.commits), world.log.probes) == (1, 1)
            assert world.health.failing_since == NOW

    async def test_of_everything_refuses_what_comes_later_at_once(self, world: World) -> None:
        async with world.running():
            world.log.out = True
            await outcomes([world.post()])
            with pytest.raises(Unavailable, match="the database cannot be written now") as refused:
                await world.ingest.begin(report())
            assert refused.value.retry_after
            assert len(world.log.commits) == 1

    async def test_of_everything_refuses_what_waits_without_trying(self, world: World) -> None:
        async with world.running():
            world.log.open.clear()
            posted = [world.post("u1")]
            await settled()
            posted += [world.post("u2"), world.post("u3")]
            await settled()
            world.log.out = True
            world.log.open.set()
            assert await outcomes(posted) == [Unavailable] * 3
            assert world.log.commits == [["u1"]]

    async def test_of_everything_is_over_when_a_probe_succeeds(self, world: World) -> None:
        async with world.running():
            world.log.out = True
            await outcomes([world.post()])
            await world.health.check()
            assert await outcomes([world.post()]) == [Unavailable]
            world.log.out = False
            await world.health.check()
            assert world.health.failing_since is None
            assert await outcomes([world.post()]) == [None]
            assert world.user_ids() == ["u1"]

    async def test_of_everything_ends_the_trying_one_by_one(self, world: World) -> None:
        class FailsLater(FakeLog):
            async def append(self, reports: Sequence[Received]) -> Sequence[Received]:
                self.out = len(self.commits) >= 3
                return await super().append(reports)

        world.log = FailsLater()
        world.log.poison = {"u9"}
        world.start(100)
        async with world.running():
            posted = [world.post(f"u{number}") for number in range(10)]
            assert await outcomes(posted) == [None, None, *[Unavailable] * 8]
            assert [one.report.user_id for one in world.log.kept] == world.user_ids() == ["u0", "u1"]
            assert len(world.log.commits) == 4

    async def test_of_an_unforeseen_kind_does_the_same(self, world: World) -> None:
        async with world.running():
            world.log.poison, world.log.failure = {"u1"}, ZeroDivisionError
            assert await outcomes([world.post("u1"), world.post("u2")]) == [Unavailable, None]

    async def test_does_not_end_the_ingest(self, world: World) -> None:
        async with world.running():
            world.log.poison = {"u1"}
            assert await outcomes([world.post()]) == [Unavailable]
            world.log.poison = set()
            assert await outcomes([world.post()]) == [None]

    async def test_of_ours_leaves_nobody_waiting(
        self, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with world.running():
            with monkeypatch.context() as broken:
                broken.setattr(world.rooms, "apply", lambda _: 1 / 0)
                assert await outcomes([world.post("u1"), world.post("u2")]) == [Unavailable, Unavailable]
            assert "ZeroDivisionError" in caplog.text
            assert await outcomes([world.post("u3")]) == [None]
            assert world.user_ids() == ["u3"]


class TestACommitThatDoesNotCome:
    """It hangs, as `open` is shut: the first report is in the commit under way, the others wait in the queue."""

    async def hanging(self, world: World) -> list["asyncio.Task[None]"]:
        world.log.open.clear()
        posted = [world.post("u1")]
        await settled()
        posted += [world.post("u2"), world.post("u3")]
        await settled()
        return posted

    async def test_is_waited_for_as_long_as_the_limit_says_and_no_longer(self, world: World) -> None:
        async with world.running():
            posted = await self.hanging(world)
            world.clock.advance(COMMIT_TIMEOUT - 0.001)
            world.ingest.give_up()
            await settled()
            assert not any(one.done() for one in posted)
            world.clock.advance(0.001)
            world.ingest.give_up()
            assert await outcomes(posted) == [Unavailable] * 3

    async def test_refuses_its_reports_and_those_that_wait_and_says_why(self, world: World) -> None:
        async with world.running():
            for one in await self.hanging(world):
                world.clock.advance(COMMIT_TIMEOUT)
                world.ingest.give_up()
                with pytest.raises(Unavailable, match="not saved within 10 s") as refused:
                    await one
                assert refused.value.retry_after

    async def test_lets_those_go_on_waiting_who_came_later(self, world: World) -> None:
        async with world.running():
            posted = await self.hanging(world)
            world.clock.advance(COMMIT_TIMEOUT / 2)
            later = world.post("u4")
            await settled()
            world.clock.advance(COMMIT_TIMEOUT / 2)
            world.ingest.give_up()
            assert await outcomes(posted) == [Unavailable] * 3
            assert not later.done()
            world.log.open.set()
            assert await outcomes([later]) == [None]

    async def test_may_still_save_its_reports_but_not_those_that_waited(self, world: World) -> None:
        async with world.running():
            posted = await self.hanging(world)
            world.clock.advance(COMMIT_TIMEOUT)
            world.ingest.give_up()
            await outcomes(posted)
            world.log.open.set()
            await settled()
            assert world.log.commits == [["u1"]]
            assert world.user_ids() == ["u1"]

    async def test_counts_as_a_database_that_cannot_be_written_until_it_comes(self, world: World) -> None:
        async with world.running():
            await outcomes([world.post("u0")])
            posted = await self.hanging(world)
            world.clock.advance(COMMIT_TIMEOUT)
            world.ingest.give_up()
            assert (world.health.failing_since, world.health.error) == (NOW + 10, "a commit takes more than 10 s")
            assert await outcomes([*posted, world.post("u4")]) == [Unavailable] * 4
            world.log.open.set()
            await settled()
            assert await outcomes([world.post("u5")]) == [None]

    async def test_is_none_where_nothing_is_to_be_saved(self, world: World) -> None:
        async with world.running():
            await outcomes([world.post()])
            world.clock.advance(1000)
            world.ingest.give_up()
            assert world.health.failing_since is None

    async def test_is_not_tried_again_for_those_who_were_refused_meanwhile(self, world: World) -> None:
        async with world.running():
            posted = await self.hanging(world)
            world.clock.advance(COMMIT_TIMEOUT)
            world.ingest.give_up()
            await outcomes(posted)
            world.log.poison = {"u1"}
            world.log.open.set()
            await settled()
            assert world.log.commits == [["u1"]]
            assert world.log.probes == 1


class TestAReportPastALimit:
    async def test_is_neither_saved_nor_shown(self) -> None:
        world = World(limits=Limits(rooms=1, room_users=1, user_streams=100))
        async with world.running():
            posted = [world.post("u1", "a"), world.post("u2", "a"), world.post("u3", "b"), world.post("u1", "a")]
            assert await outcomes(posted) == [None, TooManyRequests, Unavailable, None]
            assert world.log.commits == [["u1", "u1"]]
            assert (world.rooms.ids(), world.user_ids("a")) == (["a"], ["u1"])

    async def test_costs_no_commit(self) -> None:
        world = World(limits=Limits(rooms=1, room_users=1, user_streams=0))
        async with world.running():
            assert await outcomes([world.post()]) == [TooManyRequests]
            assert world.log.commits == []


class TestTheQueue:
    async def test_is_bounded(self) -> None:
        world = World(max_queue=2)
        async with world.running():
            world.log.open.clear()
            posted = [world.post(user_id) for user_id in ("u1", "u2", "u3")]
            await settled()
            with pytest.raises(Unavailable, match="too many reports wait") as refused:
                async with asyncio.timeout(5):
                    await posted[2]
            assert refused.value.retry_after
            world.log.open.set()
            assert await outcomes(posted[:2]) == [None, None]
            assert await outcomes([world.post("u3")]) == [None]

    async def test_takes_nothing_once_closed(self, world: World) -> None:
        world.ingest.close()
        with pytest.raises(Unavailable, match="shutting down") as refused:
            await world.ingest.begin(report())
        assert refused.value.retry_after

    async def test_is_emptied_before_the_end(self, world: World) -> None:
        async with world.running():
            world.log.open.clear()
            posted = [world.post("u1")]
            await settled()
            posted.append(world.post("u2"))
            await settled()
            world.ingest.close()
            assert await outcomes([world.post("u3")]) == [Unavailable]
            world.log.open.set()
            assert await outcomes(posted) == [None, None]
        assert world.log.commits == [["u1"], ["u2"]]

    async def test_is_emptied_even_when_it_was_closed_before_anything_was_taken(self, world: World) -> None:
        posted = world.post()
        await settled()
        world.ingest.close()
        async with world.running():
            assert await outcomes([posted]) == [None]


class TestExpiry:
    async def test_publishes_rooms_whose_users_turn_stale_or_leave(self, world: World) -> None:
        async with world.running():
            await world.ingest.begin(report())
            world.hub.published.clear()
            for seconds, published in ((14, []), (1, [["room-1"]]), (1, []), (44, [["room-1"]]), (1, [])):
                world.clock.advance(seconds)
                world.follower.expire()
                assert world.hub.published == published
                world.hub.published.clear()


class TestTheRate:
    async def test_counts_reports_when_they_are_shown(self, world: World) -> None:
        async with world.running():
            world.log.open.clear()
            posted = [world.post(f"u{number}") for number in range(3)]
            await settled()
            world.clock.advance(5)
            assert world.ingest.intake.rate(world.clock()) == 0
            world.log.open.set()
            await outcomes(posted)
            assert world.ingest.intake.rate(world.clock()) == 0.3
            assert world.ingest.intake.newest == NOW

    async def test_does_not_count_what_was_not_saved(self, world: World) -> None:
        world.log.poison = {"u1"}
        async with world.running():
            await outcomes([world.post("u1")])
            assert (world.ingest.intake.rate(NOW), world.ingest.intake.newest) == (0, None)

    async def test_is_published_when_it_falls_though_no_room_changes(self, world: World) -> None:
        async with world.running():
            await world.ingest.begin(report())
        world.follower.expire()
        refreshed, published = world.hub.refreshed, list(world.hub.published)
        world.clock.advance(9)
        world.follower.expire()
        assert world.hub.refreshed == refreshed
        world.clock.advance(1)
        world.follower.expire()
        assert (world.hub.refreshed, world.hub.published) == (refreshed + 1, published)


class TestARestart:
    async def restarted(self, world: World) -> World:
        """The world after a restart: the same store and clock, all else new."""
        new = World()
        new.log, new.clock = world.log, world.clock
        new.start(100)
        await new.follower.rebuild(60)
        return new

    async def live(self, world: World, *reports: Received) -> None:
        for one in reports:
            world.clock.now = one.at
            world.follower.expire()
            await world.ingest.begin(one.report)

    async def test_shows_the_same_rooms(self, world: World) -> None:
        seen = [Entry("u1", [stream(), stream("mic", video=None)]), Entry("u2", [stream(direction="recv")])]
        async with world.running():
            await self.live(
                world,
                received(NOW, user_id="u1", metrics=seen),
                received(NOW + 10, user_id="u2", metrics=[Entry("u2", [stream(audio=None, network=None)])]),
                received(NOW + 30, user_id="u3", room_id="room-2", metrics=[]),
            )
        world.clock.advance(5)
        world.follower.expire()
        new = await self.restarted(world)
        assert new.rooms.ids() == ["room-1", "room-2"]
        assert [user.stale for user in new.users("room-1")] == [True, True]
        assert all(new.users(room_id) == world.users(room_id) for room_id in new.rooms.ids())

    async def test_does_not_bring_back_who_left(self, world: World) -> None:
        async with world.running():
            await self.live(world, received(NOW, user_id="u1"), received(NOW + 59, user_id="u2"))
        world.clock.now = NOW + 60
        assert (await self.restarted(world)).user_ids() == ["u2"]

    async def test_forgets_what_left_before_somebody_came_back(self, world: World) -> None:
        screen = [Entry("u1", [stream("screen")])]
        async with world.running():
            await self.live(
                world,
                received(NOW, metrics=screen, sdk_version="1"),
                received(NOW + 61, metrics=[], sdk_version="2"),
                received(NOW + 62, user_id="u2"),
            )
        new = await self.restarted(world)
        assert new.users() == world.users()
        assert new.users()[0].sdk_version == "2"

    async def test_remembers_what_frame_rate_a_stream_can_do(self, world: World) -> None:
        fast, slow = stream(video=video(frame_rate=25)), stream(video=video(frame_rate=15))
        async with world.running():
            await self.live(
                world,
                received(NOW, metrics=[Entry("u1", [fast])]),
                received(NOW + 55, metrics=[Entry("u1", [slow])]),
            )
        world.clock.now = NOW + 69
        world.follower.expire()
        new = await self.restarted(world)
        assert new.users() == world.users()
        assert [term.term for term in new.users()[0].streams[0].quality.terms] == ["delay", "loss", "frame_rate"]

    async def test_after_the_clock_was_set_back_keeps_nobody_for_ever(self, world: World) -> None:
        async with world.running():
            await self.live(world, received(NOW, metrics=[Entry("u1", [stream(network=network(rtt=1))])]))
        world.clock.now = NOW - 3600
        new = await self.restarted(world)
        assert [user.received_at for user in new.users()] == [NOW - 3600]
        new.clock.advance(60)
        new.follower.expire()
        assert new.rooms.ids() == []

    async def test_after_the_clock_was_set_back_brings_nobody_back(self, world: World) -> None:
        async with world.running():
            await self.live(world, received(NOW, user_id="u1"), received(NOW + 600, user_id="u2"))
        world.clock.now = NOW - 3600
        assert (await self.restarted(world)).user_ids() == ["u2"]

    async def test_knows_the_newest_report(self, world: World) -> None:
        async with world.running():
            await self.live(world, received(NOW), received(NOW + 5))
        assert (await self.restarted(world)).ingest.intake.newest == NOW + 5

    async def test_publishes_nothing(self, world: World) -> None:
        async with world.running():
            await self.live(world, received(NOW))
        assert (await self.restarted(world)).hub.published == []
