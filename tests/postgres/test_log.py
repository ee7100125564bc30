"""The log in PostgreSQL: for any order of appends and reads by workers, all see the same sequence."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from roompulse.errors import StoreError
from roompulse.postgres.database import PostgresDatabase
from roompulse.postgres.lease import run_once
from roompulse.postgres.log import PostgresLog
from roompulse.report.model import Received
from roompulse.settings import Settings
from roompulse.store.contract import SampleQuery
from roompulse.store.samples import SqlSamples
from tests.builders import NOW, received
from tests.postgres_server import schema_of
from tests.process import DEADLINE, soon

pytestmark = pytest.mark.anyio

WORKERS = 3
TIMEOUT = 10.0


class Worker:
    """The part of the log that one worker has seen."""

    def __init__(self, log: PostgresLog) -> None:
        self.log = log
        self.seen: list[str] = []

    async def restart(self) -> None:
        """Begin again from the stored reports."""
        await self.log.close()
        self.log = PostgresLog(self.log._database, TIMEOUT)
        self.seen = []
        self.note([one async for one in self.log.recent(NOW - 1)])

    def cut(self) -> None:
        """Lose the connections, with any running statement."""
        for connection in (self.log._writing._connection, self.log._reading._connection):
            if connection:
                connection.terminate()

    async def append(self, *user_ids: str) -> None:
        self.note(await self.log.append([received(NOW, user_id=one) for one in user_ids]))

    async def look(self) -> None:
        self.note(await self.log.news())

    def note(self, found: Sequence[Received]) -> None:
        self.seen += [one.report.user_id for one in found]
        assert [one.position for one in found] == sorted(one.position for one in found)


@asynccontextmanager
async def workers(url: str) -> AsyncIterator[list[Worker]]:
    """Workers on one schema, which is new."""
    settings = Settings(data=Path("unused"), database_url=schema_of(url))
    async with AsyncExitStack() as stack:
        found = []
        for _ in range(WORKERS):
            database = PostgresDatabase(settings)
            await stack.enter_async_context(database.open())
            found.append(Worker(PostgresLog(database, TIMEOUT)))
        yield found
        for worker in found:
            await worker.log.close()


class Step(Struct, frozen=True):
    """A step of a worker, after all previous steps or, unless it `waits`, beside those of other workers.

    It appends so many reports or reads; its network fails; or it is another process from now on.
    """

    worker: int
    what: Literal["append", "look", "cut", "restart"]
    reports: int
    waits: bool


steps = st.builds(
    Step,
    st.integers(0, WORKERS - 1),
    st.sampled_from(["append", "append", "append", "look", "cut", "restart"]),
    st.integers(1, 3),
    st.booleans(),
)


class Model:
    """The expected reports: `committed` seen by all, once and in one order, `unknown` once or not at all."""

    def __init__(self) -> None:
        self.committed: set[str] = set()
        self.unknown: set[str] = set()

    async def append(self, worker: Worker, user_ids: list[str]) -> None:
        try:
            await worker.append(*user_ids)
        except StoreError:
            self.unknown |= {*user_ids}
        else:
            self.committed |= {*user_ids}
            assert {*user_ids} <= {*worker.seen}, "it has not seen what it has appended"

    async def look(self, worker: Worker) -> None:
        before = {*self.committed}
        with suppress(StoreError):
            await worker.look()
            assert before <= {*worker.seen}, "it has not seen what was acknowledged before it looked"

    async def do(self, worker: Worker, step: Step, user_ids: list[str]) -> None:
        match step.what:
            case "append":
                await self.append(worker, user_ids)
            case "look":
                await self.look(worker)
            case "restart":
                await worker.restart()


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, max_size=20))
def test_all_workers_see_the_same_sequence_nothing_twice_and_nothing_left_out(
    postgres_url: str, sequence: list[Step]
) -> None:
    async def run() -> None:
        async with asyncio.timeout(DEADLINE), workers(postgres_url) as all_workers:
            model, under_way = Model(), dict[int, asyncio.Task[None]]()
            for number, step in enumerate(sequence):
                worker = all_workers[step.worker]
                if step.what == "cut":
                    worker.cut()
                    continue
                # A worker does one after the other, as its ingest does.
                before = under_way.values() if step.waits else filter(None, [under_way.get(step.worker)])
                await asyncio.gather(*before)
                user_ids = [f"{number}-{one}" for one in range(step.reports)]
                under_way[step.worker] = asyncio.create_task(model.do(worker, step, user_ids))
                await asyncio.sleep(0)
            await asyncio.gather(*under_way.values())

            async def agree() -> bool:
                # An interrupted append may be committed a moment later.
                for worker in all_workers:
                    await model.look(worker)
                return len({tuple(worker.seen) for worker in all_workers}) == 1

            await soon(agree)
            seen = all_workers[0].seen
            assert len(seen) == len({*seen})
            assert model.committed <= {*seen} <= model.committed | model.unknown

    asyncio.run(run())


async def test_appends_and_looks_at_once_lose_and_repeat_nothing(postgres_url: str) -> None:
    async with workers(postgres_url) as all_workers:

        async def post(number: int, worker: Worker) -> None:
            for count in range(30):
                await worker.append(f"{number}-{count}")

        async def follow(worker: Worker) -> None:
            for _ in range(30):
                await worker.look()

        posting = [post(number, worker) for number, worker in enumerate(all_workers)]
        await asyncio.gather(*posting, *map(follow, all_workers))
        for worker in all_workers:
            await worker.look()
        assert all_workers[0].seen == all_workers[1].seen == all_workers[2].seen
        assert len(set(all_workers[0].seen)) == len(all_workers[0].seen) == 90


async def test_what_one_has_committed_another_finds_at_once(postgres_url: str) -> None:
    async with workers(postgres_url) as (first, second, _):
        for number in range(50):
            await first.append(f"u{number}")
            await second.look()
            assert second.seen[-1] == f"u{number}"


async def test_a_later_part_of_a_report_is_known_as_such_everywhere(postgres_url: str) -> None:
    """Else other workers would count each part as a report."""
    async with workers(postgres_url) as (one, other, late):
        for part in (False, True):
            (own,) = await one.log.append([Received(received(NOW).report, NOW, continues=part)])
            assert own.continues == part
        assert [found.continues for found in await other.log.news()] == [False, True]
        assert [found.continues async for found in late.log.recent(NOW - 1)] == [False, True]


async def test_a_batch_whose_answer_is_lost_comes_as_another_workers(postgres_url: str) -> None:
    async with workers(postgres_url) as (first, second, _):
        await first.append("before")
        appending = asyncio.create_task(first.append("lost"))
        await asyncio.sleep(0)
        appending.cancel()
        await asyncio.gather(appending, return_exceptions=True)
        await first.append("after")
        await second.look()
        await first.look()
        assert first.seen == second.seen
        assert first.seen[0] == "before"
        assert first.seen[-1] == "after"


async def test_a_start_goes_on_where_the_log_ends(postgres_url: str) -> None:
    async with workers(postgres_url) as (first, second, _):
        await first.append("old", "new")
        recent = [one async for one in second.log.recent(NOW - 1)]
        assert [one.report.user_id for one in recent] == ["old", "new"]
        assert [one async for one in second.log.recent(NOW)] == []
        await first.append("next")
        await second.look()
        assert second.seen == ["next"]


async def test_samples_are_those_of_the_log(postgres_url: str) -> None:
    async with workers(postgres_url) as (first, *_):
        await first.append("u1", "u2")
        archive = SqlSamples(first.log._database)  # type: ignore[arg-type]
        portions = await asyncio.to_thread(list, archive.reports(SampleQuery("room-1", NOW - 1, NOW)))
        assert sorted(one.report.user_id for portion in portions for one in portion) == ["u1", "u2"]


async def test_a_connection_that_was_lost_is_made_anew_before_it_is_used(postgres_url: str) -> None:
    """As after a restart of PostgreSQL: that it was away says nothing about now."""
    async with workers(postgres_url) as (first, *_):
        await first.append("u1")
        await first.look()
        first.cut()
        await first.append("u2")
        await first.look()
        assert first.seen == ["u1", "u2"]


async def test_a_read_by_a_connection_that_was_lost_unnoticed_is_tried_again(postgres_url: str) -> None:
    async with workers(postgres_url) as (first, *_):
        await first.append("u1")
        await first.look()
        connection = first.log._reading._connection
        assert connection
        connection._transport.abort()
        await first.look()
        assert first.log._reading._connection is not connection


async def test_one_worker_runs_what_runs_once_and_another_when_it_has_gone(postgres_url: str) -> None:
    async with workers(postgres_url) as all_workers:
        running: list[int] = []

        async def job(number: int) -> None:
            running.append(number)
            try:
                await asyncio.Event().wait()
            finally:
                running.remove(number)

        def hold(number: int) -> "asyncio.Task[None]":
            async def jobs() -> Sequence[Coroutine[Any, Any, None]]:
                return [job(number)]

            return asyncio.create_task(run_once(all_workers[number].log._database, jobs))

        async def until(condition: list[int]) -> None:
            async with asyncio.timeout(10):
                while running != condition:
                    await asyncio.sleep(0.02)

        first = hold(0)
        await until([0])
        second = hold(1)
        await asyncio.sleep(0.1)
        assert running == [0]
        first.cancel()
        await until([1])
        second.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        assert running == []
