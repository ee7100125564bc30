"""Ten minutes of calls, in `make soak` an hour, reported to a process on SQLite and to three workers on PostgreSQL.

There, each report goes to the next worker.

Every answer to a GET is the same, byte for byte. What is left out: streams, of which each begins with such an answer,
`/metrics`, which are a process's own, and the token of forms, which is a secret of each database.
"""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from itertools import cycle, takewhile
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

from roompulse.settings import Settings
from roompulse.simulate.rooms import Plan, reports
from roompulse.simulate.troubles import TROUBLES
from roompulse.store.schema import MINUTE
from tests.api import data, url
from tests.builders import NOW
from tests.calls import Calls
from tests.conftest import Clock
from tests.databases import make_databases
from tests.process import SOAK

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

LENGTH, SILENCE = 3600 if SOAK else 600, 100
"""Seconds of reports, and seconds after them."""

PLAN = Plan(rooms=3, users=3, interval=12, seed=15, troubles=tuple(TROUBLES))
RECORD_EVERY = 10
ASKED = 3
"""Paths that are read each time that something is recorded; then the following ones."""

WORKERS = 3

LEFT_OUT = re.compile(r"/stream(/|$)|^/metrics$|^/static|^/demo|{(?!room_id|user_id|started_at)")
LISTS = re.compile(r"^/($|[?]|users|rooms/[^/]+($|[?])|report/(overview|users))")
PARTS = re.compile(rb"[<{}\[\],]")
"""Lists have the same parts in any order: rows that are about equal keep their last place."""

TOKEN = re.compile(rb'name="token" value="[^"]*"')

FURTHER = (
    "/?q=a&level=poor",
    "/report/calls?order=score",
    "/report/history/{room_id:str}?step=60",
    "/report/history/{room_id:str}/{user_id:str}?step=60",
    "/report/insights?by=sdk_version",
    "/report/trends?step=300",
    "/rooms/{room_id:str}?at=1800000400",
    "/rooms/{room_id:str}/users/{user_id:str}?at=1800000400",
)
"""Beside each route by itself."""


class World(Struct):
    """The same calls twice: `alone` and `workers`, the first of which runs the singleton jobs."""

    alone: Calls
    workers: list[Calls]

    @property
    def all(self) -> list[Calls]:
        return [self.alone, *self.workers]

    async def present(self) -> None:
        for one in self.all:
            await one.core.others.present()

    async def record(self, at: float) -> None:
        """Run the jobs of every few seconds."""
        await self.present()
        for one in (self.alone, self.workers[0]):
            await one.look()
            await one.core.recorder.look(at)
            await one.core.alerts.tick()
        for one in self.workers[1:]:
            await one.core.timeline.save()
        await self.present()
        for one in self.workers[1:]:
            await one.core._refill()
            if at % MINUTE == 0:
                await one.core._reload_insights()


@pytest.fixture
async def world(settings: Settings, tmp_path: Path, clock: Clock) -> AsyncIterator[World]:
    make_databases(tmp_path / "alone")
    async with AsyncExitStack() as stack:
        alone = await stack.enter_async_context(Calls.of(Settings(data=tmp_path / "alone"), clock))
        workers = [await stack.enter_async_context(Calls.of(settings, clock)) for _ in range(WORKERS)]
        workers[0].core.engine.is_the_one = workers[0].core.alerts._evaluates = True
        yield World(alone, workers)


def timed() -> Iterator[tuple[float, bytes]]:
    """The reports, and their times."""
    for second, report in takewhile(lambda one: one[0] < LENGTH, reports(PLAN, NOW)):
        yield round(NOW + second, 3), msgspec.json.encode(report)


OF_ITS_START = re.compile("^/ingest$")
"""A worker's figures of the reports since its start."""


async def paths(world: World) -> list[str]:
    """Every GET that there is, for each room and user that was ever in a call, and each call."""
    routes = [route.path for route in world.alone.app.routed.routes if "GET" in getattr(route, "methods", ())]
    wanted = [*(path for path in routes if not LEFT_OUT.search(path)), *FURTHER]
    found: dict[str, None] = {}
    for call in (await data(world.alone.client, "/report/calls?limit=100"))["calls"]:
        report = await data(world.alone.client, f"/report/calls/{call['room_id']}/{call['started_at']}")
        for user in report["users"]:
            filled = {"room_id": call["room_id"], "user_id": user["user_id"], "started_at": str(call["started_at"])}
            for path in wanted:
                parts = (re.sub(r"{(\w+):str}", lambda match: url(filled[match[1]])[1:], path),)  # noqa: B023
                found |= dict.fromkeys(parts)
    return list(found or [path for path in wanted if "{" not in path])


async def compare(alone: Calls, worker: Calls, path: str) -> None:
    one, other = [await calls.client.get(path) for calls in (alone, worker)]
    assert one.status_code == other.status_code, path
    mine, theirs = (TOKEN.sub(b"", answer.content) for answer in (one, other))
    if LISTS.search(path):
        mine, theirs = (b"\n".join(sorted(PARTS.split(whole))) for whole in (mine, theirs))
    place = next((place for place, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b), 0)
    around = slice(max(0, place - 200), place + 200)
    assert mine == theirs, f"{path}: {mine[around]!r} or {theirs[around]!r}"


async def test_calls_are_answered_alike_by_one_process_and_by_three_workers(
    world: World, settings: Settings, clock: Clock
) -> None:
    takers, answerers = cycle(world.workers), cycle(world.workers)
    due, waiting = NOW + RECORD_EVERY, list[str]()
    rest = [(NOW + LENGTH + SILENCE, b"")]
    for at, content in [*timed(), *rest]:
        while due <= at:
            clock.now = due
            await world.record(due)
            waiting = waiting or await paths(world)
            for path in waiting[:ASKED]:
                await compare(world.alone, next(answerers), path)
            waiting = waiting[ASKED:]
            due += RECORD_EVERY
        clock.now = at
        for one in (world.alone, next(takers)) if content else ():
            assert (await one.client.post("/report/metrics", content=content)).status_code == 200
        await world.present()
    async with Calls.of(settings, clock) as later:
        world.workers.append(later)
        clock.now = due
        await world.record(due)
        found = [path for path in await paths(world) if not OF_ITS_START.search(path)]
        assert len(found) > 100
        for path in found:
            await compare(world.alone, later, path)
