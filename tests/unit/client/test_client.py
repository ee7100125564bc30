"""Delivery as the client does it, against a server that a test scripts, in a time that a test moves."""

import asyncio
import logging
from collections.abc import Callable
from email.utils import formatdate
from time import time
from typing import Any

import httpx
import msgspec
import pytest
from msgspec.structs import replace

from roompulse import client
from roompulse.client import AsyncReporter, Audio, Device, Entry, Event, Lost, Network, Report, Stream, Video
from roompulse.client.buffer import MAX_AGE
from roompulse.client.outbox import CONNECTIONS, FIRST_PAUSE, LONGEST_PAUSE, Outbox
from roompulse.report import model
from roompulse.report.decode import decode_report
from tests.conftest import Clock

Answer = httpx.Response | Exception
REFUSED = httpx.ConnectError("All connection attempts failed")


def ok() -> httpx.Response:
    return httpx.Response(200, json={"code": 0, "message": "success", "data": None})


def problem(status: int, message: str = "no", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json={"code": status, "message": message, "data": None}, headers=named)


def report(user_id: str = "u1", stream_id: str = "camera", room_id: str = "room-1", at: int = 1000) -> Report:
    return Report(user_id, room_id, "1.2.0", [Entry(user_id, [Stream(stream_id, "send")])], at)


class World:
    """An outbox, its server (`answers` to each report, then 200), and the results."""

    def __init__(self, clock: Clock, max_waiting: int = 100, chance: float = 1.0) -> None:
        self.clock = clock
        self.answer: Callable[[model.Report], Answer] = lambda _: ok()
        self.posted: list[model.Report] = []
        self.lost: list[Lost] = []
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._handle), base_url="http://test")
        self.outbox = Outbox(
            http, max_waiting=max_waiting, on_error=self.lost.append, clock=clock, chance=lambda: chance
        )

    def _handle(self, request: httpx.Request) -> httpx.Response:
        assert (request.method, request.url.path) == ("POST", "/report/metrics")
        posted = decode_report(request.content)
        self.posted.append(posted)
        answer = self.answer(posted)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def script(self, *answers: Answer) -> None:
        rest = list(answers)
        self.answer = lambda _: rest.pop(0) if rest else ok()

    async def rounds(self) -> float | None:
        """All that may be posted now; returns after how many seconds there is more to do."""
        while (pause := await self.outbox.round()) == 0:
            pass
        return pause

    def streams(self) -> list[list[str]]:
        return [[stream.stream_id for entry in one.metrics for stream in entry.streams] for one in self.posted]

    def counts(self) -> tuple[int, int, int]:
        return self.outbox.delivered, self.outbox.lost, self.outbox.waiting


@pytest.fixture
def world(clock: Clock) -> World:
    return World(clock)


def known(value: Any) -> Any:
    """Without null values: the client leaves them out."""
    if isinstance(value, dict):
        return {name: known(member) for name, member in value.items() if member is not None}
    return [known(item) for item in value] if isinstance(value, list) else value


class TestReports:
    def test_have_every_field_of_the_contract_in_its_order(self) -> None:
        for name in ("Video", "Audio", "Network", "Stream", "Device", "Connection", "Entry", "Event"):
            mine, servers = getattr(client, name), getattr(model, name)
            assert mine.__struct_fields__ == servers.__struct_fields__
        assert set(Report.__struct_fields__) == set(model.Report.__struct_fields__)

    def test_arrive_as_they_were_made(self) -> None:
        video = Video(1, 24.7, 1280, 720, 1200, "VP9", 3, 2, 1.2, "camera", "cpu")
        camera = Stream(
            "camera",
            "recv",
            video,
            Audio(2, 48000, 2, 64, "opus", 0.1, muted=False, concealed=2.5),
            Network(45, 0.3, 8),
        )
        device = Device("phone", "Android 15", "Chrome 136", "4g")
        sent = Report("u1", "a/b ☎", "2.0", [Entry("u2", [camera], device)])
        decoded = decode_report(msgspec.json.encode(sent))
        assert known(msgspec.to_builtins(decoded)) == known(msgspec.to_builtins(sent)) | {
            "report_time": sent.report_time
        }

    def test_are_of_the_time_when_they_were_made(self) -> None:
        assert abs(Report("u1", "room-1", "1", []).report_time - time()) < 5


class TestDelivery:
    async def test_a_report_is_posted_and_counted(self, world: World) -> None:
        world.outbox.put(report())
        assert world.counts() == (0, 0, 1)
        assert await world.rounds() is None
        assert world.counts() == (1, 0, 0)
        assert world.posted == [decode_report(msgspec.json.encode(report()))]

    async def test_the_time_of_a_report_is_that_of_its_making_however_late_it_is_sent(self, world: World) -> None:
        world.script(REFUSED)
        world.outbox.put(report(at=1234))
        pause = await world.rounds()
        world.clock.advance(pause or 0)
        await world.rounds()
        assert [one.report_time for one in world.posted] == [1234, 1234]

    @pytest.mark.parametrize(
        "answer", [REFUSED, httpx.ReadTimeout(""), problem(408), problem(429), problem(500), problem(503)]
    )
    async def test_what_may_succeed_later_is_tried_again(self, world: World, answer: Answer) -> None:
        world.script(answer)
        world.outbox.put(report())
        pause = await world.rounds()
        assert pause
        assert world.outbox.problem
        assert world.counts() == (0, 0, 1)
        world.clock.advance(pause - 0.01)
        await world.rounds()
        assert len(world.posted) == 1
        world.clock.advance(0.02)
        assert await world.rounds() is None
        assert world.counts() == (1, 0, 0)
        assert world.outbox.problem is None

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 415])
    async def test_what_the_server_refuses_is_not_tried_again_and_told_with_its_message(
        self, world: World, status: int
    ) -> None:
        world.script(problem(status, "$.user_id: must not contain control characters"))
        refused = report()
        world.outbox.put(refused)
        assert await world.rounds() is None
        assert world.lost == [Lost(refused, "$.user_id: must not contain control characters", status)]
        assert (len(world.posted), world.counts()) == (1, (0, 1, 0))

    async def test_an_answer_of_something_else_is_told_as_it_is(self, world: World) -> None:
        world.script(httpx.Response(404, text="<h1>nginx</h1>"))
        world.outbox.put(report())
        await world.rounds()
        assert [(lost.status, lost.message) for lost in world.lost] == [(404, "<h1>nginx</h1>")]

    async def test_the_back_off_doubles_up_to_its_longest_and_begins_anew_after_success(self, world: World) -> None:
        world.answer = lambda _: REFUSED
        world.outbox.put(report())
        pauses = []
        for _ in range(9):
            pauses.append(await world.rounds() or 0)
            world.clock.advance(pauses[-1])
        assert pauses == pytest.approx([FIRST_PAUSE * 2**number for number in range(6)] + 3 * [LONGEST_PAUSE])
        world.answer = lambda _: ok()
        assert await world.rounds() is None
        world.script(REFUSED)
        world.outbox.put(report())
        assert await world.rounds() == pytest.approx(FIRST_PAUSE)

    @pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
    async def test_pauses_are_jittered(self, clock: Clock, chance: float) -> None:
        world = World(clock, chance=chance)
        world.script(REFUSED)
        world.outbox.put(report())
        assert await world.rounds() == pytest.approx(FIRST_PAUSE * (0.5 + chance / 2))

    @pytest.mark.parametrize("status", [429, 503])
    async def test_it_does_not_come_back_before_the_server_wants_it(self, world: World, status: int) -> None:
        world.script(problem(status, Retry_After="60"))
        world.outbox.put(report())
        await world.rounds()
        world.clock.advance(59)
        world.outbox.put(report(stream_id="mic"))
        await world.rounds()
        assert world.streams() == [["camera"]]
        world.clock.advance(2)
        await world.rounds()
        assert world.outbox.delivered == 2

    async def test_a_date_will_do_as_well(self, world: World) -> None:
        world.script(problem(503, Retry_After=formatdate(time() + 100, usegmt=True)))
        world.outbox.put(report())
        await world.rounds()
        for _ in range(9):
            world.clock.advance(10)
            await world.rounds()
        assert len(world.posted) == 1
        world.clock.advance(12)
        await world.rounds()
        assert world.counts() == (1, 0, 0)

    async def test_a_full_room_does_not_hold_up_the_others(self, world: World) -> None:
        full = problem(429, "a room has no place for more than 2 users", Retry_After="60")
        world.answer = lambda posted: full if posted.room_id == "full" else ok()
        world.outbox.put(report(room_id="full"))
        for number in range(20):
            world.outbox.put(report(f"u{number}"))
        await world.rounds()
        assert world.counts() == (20, 0, 1)
        world.outbox.put(report())
        await world.rounds()
        assert world.counts() == (21, 0, 1)

    async def test_while_nothing_gets_through_a_pause_is_one_for_all(self, world: World) -> None:
        world.answer = lambda _: REFUSED
        for number in range(50):
            world.outbox.put(report(f"u{number}"))
        await world.rounds()
        assert len(world.posted) == CONNECTIONS

    async def test_one_reporter_is_heard_in_its_order(self, world: World) -> None:
        world.script(REFUSED, problem(503), ok(), REFUSED)
        for number in range(10):
            world.outbox.put(report(at=1000 + number))
        while (pause := await world.rounds()) is not None:
            world.clock.advance(pause)
        times = [one.report_time for one in world.posted]
        assert times == sorted(times)
        assert set(times) == set(range(1000, 1010))

    async def test_others_go_at_the_same_time(self, world: World) -> None:
        for number in range(CONNECTIONS):
            world.outbox.put(report(f"u{number}"))
        assert await world.outbox.round() == 0
        assert len(world.posted) == CONNECTIONS


class TestMerging:
    async def test_reports_of_one_reporter_and_second_that_wait_together_go_as_one(self, world: World) -> None:
        for stream_id in ("camera", "mic", "screen"):
            world.outbox.put(report(stream_id=stream_id))
        await world.rounds()
        assert world.streams() == [["camera", "mic", "screen"]]
        assert world.counts() == (3, 0, 0)

    async def test_what_they_say_of_the_room_and_the_reporter_is_kept(self, world: World) -> None:
        named = replace(report(), room_name="Stand-up", labels={"region": "eu"})
        for one in (named, replace(named, metrics=[])):
            world.outbox.put(one)
        await world.rounds()
        assert [(one.room_name, one.labels) for one in world.posted] == [("Stand-up", {"region": "eu"})]

    @pytest.mark.parametrize(
        "other",
        [
            *(report("u2"), report(room_id="room-2"), report(at=1001)),
            *(replace(report(), events=[Event("left")]), replace(report(), labels={"region": "eu"})),
        ],
    )
    async def test_others_do_not(self, world: World, other: Report) -> None:
        world.outbox.put(report())
        world.outbox.put(other)
        await world.rounds()
        assert len(world.posted) == 2

    async def test_nor_do_those_that_would_be_too_large(self, world: World) -> None:
        for _ in range(3):
            streams = [Stream(f"stream-{number}", "send") for number in range(600)]
            world.outbox.put(Report("u1", "room-1", "1", [Entry("u1", streams)], 1000))
        await world.rounds()
        assert [len(streams) for streams in world.streams()] == [1200, 600]

    async def test_one_that_is_wrong_does_not_take_the_others_with_it(self, world: World) -> None:
        def answer(posted: model.Report) -> Answer:
            wrong = any(stream.stream_id == "wrong" for entry in posted.metrics for stream in entry.streams)
            return problem(400, "wrong") if wrong else ok()

        world.answer = answer
        for stream_id in ("camera", "wrong", "mic"):
            world.outbox.put(report(stream_id=stream_id))
        await world.rounds()
        assert world.streams() == [["camera", "wrong", "mic"], ["camera"], ["wrong"], ["mic"]]
        assert [lost.report for lost in world.lost] == [report(stream_id="wrong")]
        assert world.counts() == (2, 1, 0)


class TestBounds:
    async def test_the_oldest_go_first_counted_and_told(self, clock: Clock) -> None:
        world = World(clock, max_waiting=3)
        world.answer = lambda _: REFUSED
        world.outbox.put(report("u0"))
        await world.rounds()
        for number in range(1, 5):
            world.outbox.put(report(f"u{number}"))
        assert [lost.report.user_id for lost in world.lost] == ["u0", "u1"]
        assert "more than 3 reports wait (cannot reach http://test" in world.lost[0].message
        assert world.counts() == (0, 2, 3)

    async def test_what_comes_back_from_a_failure_is_the_oldest(self, clock: Clock) -> None:
        world = World(clock, max_waiting=1)

        def answer(_: model.Report) -> Answer:
            world.outbox.put(report("newer"))
            return REFUSED

        world.answer = answer
        world.outbox.put(report("older"))
        await world.rounds()
        assert [lost.report.user_id for lost in world.lost] == ["older"]
        assert world.counts() == (0, 1, 1)

    async def test_what_is_too_old_to_tell_the_truth_is_not_sent(self, world: World) -> None:
        world.script(REFUSED)
        world.outbox.put(report("old"))
        await world.rounds()
        world.clock.advance(MAX_AGE)
        world.outbox.put(report("new"))
        assert await world.rounds() is None
        assert [lost.message.partition(" (")[0] for lost in world.lost] == ["not delivered within 600 s"]
        assert [one.user_id for one in world.posted] == ["old", "new"]

    async def test_what_waits_at_the_end_is_told(self, world: World) -> None:
        world.outbox.put(report("u1"))
        world.outbox.close()
        world.outbox.put(report("u2"))
        assert [lost.message for lost in world.lost] == [
            "not delivered before the reporter was closed",
            "the reporter is closed",
        ]
        assert await world.rounds() is None
        assert world.counts() == (0, 2, 0)

    async def test_what_is_under_way_at_the_end_is_told(self, world: World) -> None:
        asked = asyncio.Event()

        async def hang(_: httpx.Request) -> httpx.Response:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

        world.outbox._http = httpx.AsyncClient(transport=httpx.MockTransport(hang), base_url="http://test")
        world.outbox.put(report())
        task = asyncio.create_task(world.outbox.round())
        await asked.wait()
        assert world.counts() == (0, 0, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        world.outbox.close()
        assert world.counts() == (0, 1, 0)


class TestTheApplicationGoesOn:
    @pytest.mark.parametrize("value", [object(), "\ud800"])
    async def test_when_a_report_cannot_be_encoded(self, world: World, value: Any) -> None:
        world.outbox.put(Report(value, "room-1", "1", [], 1000))
        world.outbox.put(report())
        await world.rounds()
        assert world.lost[0].message.startswith("cannot be encoded: ")
        assert world.counts() == (1, 1, 0)

    async def test_when_a_report_is_changed_after_it_was_sent(self, world: World) -> None:
        entries = [Entry("u1", [])]
        world.outbox.put(Report("u1", "room-1", "1", entries, 1000))
        entries.clear()
        await world.rounds()
        assert len(world.posted[0].metrics) == 1

    async def test_when_on_error_fails(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        def fail(_: Lost) -> None:
            raise KeyError("oops")

        world.outbox._on_error = fail
        world.script(problem(400))
        world.outbox.put(report())
        world.outbox.put(report("u2"))
        await world.rounds()
        assert world.counts() == (1, 1, 0)
        assert "on_error failed" in caplog.text

    async def test_when_the_network_fails_in_an_unheard_of_way(self, world: World) -> None:
        world.script(RuntimeError("unheard of"))
        world.outbox.put(report())
        world.clock.advance(await world.rounds() or 0)
        assert "unheard of" in (world.outbox.problem or "")
        await world.rounds()
        assert world.counts() == (1, 0, 0)


async def test_without_on_error_losses_are_logged_now_and_then(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.outbox._on_error = None
    world.answer = lambda _: problem(400, "wrong")
    with caplog.at_level(logging.WARNING, "roompulse.client"):
        for number in range(100):
            world.outbox.put(report(f"u{number}"))
        await world.rounds()
        world.clock.advance(10)
        world.outbox.put(report())
        await world.rounds()
    assert [record.getMessage() for record in caplog.records] == [
        "1 reports lost so far, the last one: wrong",
        "101 reports lost so far, the last one: wrong",
    ]


@pytest.mark.parametrize("within", [0.0, 0.001])
async def test_closing_ends_during_the_pause_after_a_failure(within: float) -> None:
    lost: list[Lost] = []
    for turns in range(20):
        asked = asyncio.Event()

        def refuse(_: httpx.Request, asked: asyncio.Event = asked) -> httpx.Response:
            asked.set()
            return httpx.Response(503)

        transport = httpx.MockTransport(refuse)
        reporter = AsyncReporter("http://test", transport=transport, on_error=lost.append)
        async with reporter, asyncio.timeout(10):
            reporter.send(report())
            await asked.wait()
            for _ in range(turns):
                await asyncio.sleep(0)
            await reporter.close(within)
            assert len(lost) == turns + 1
