"""The log in PostgreSQL: whatever workers append and look at, and in whatever order, all see the same sequence."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

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

pytestmark = pytest.mark.anyio

WORKERS = 3
TIMEOUT = 10.0


class Worker:
    """What one worker has seen of the log."""

    def __init__(self, log: PostgresLog) -> None:
        self.log = log
        self.seen: list[str] = []

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
            log = PostgresLog(database, TIMEOUT)
            stack.push_async_callback(log.close)
            found.append(Worker(log))
        yield found


class Step(Struct, frozen=True):
    """A worker looks (0 reports) or appends, beside the steps before or after all of them."""

    worker: int
    reports: int
    waits: bool


steps = st.builds(Step, st.integers(0, WORKERS - 1), st.integers(0, 3), st.booleans())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, max_size=15))
def test_all_workers_see_the_same_sequence_nothing_twice_and_nothing_left_out(
    postgres_url: str, sequence: list[Step]
) -> None:
    async def run() -> None:
        async with workers(postgres_url) as all_workers:
            under_way: list[asyncio.Task[None]] = []
            appended: list[str] = []
            for number, step in enumerate(sequence):
                worker, user_ids = all_workers[step.worker], [f"{number}-{one}" for one in range(step.reports)]
                appended += user_ids
                # One batch of a worker at a time, as its ingest has it.
                if step.waits or any(not one.done() for one in under_way):
                    await asyncio.gather(*under_way)
                under_way.append(asyncio.create_task(worker.append(*user_ids) if user_ids else worker.look()))
            await asyncio.gather(*under_way)
            for worker in all_workers:
                await worker.look()
            assert len({tuple(worker.seen) for worker in all_workers}) == 1
            assert sorted(all_workers[0].seen) == sorted(appended)

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


async def test_a_lost_connection_is_an_error_once(postgres_url: str) -> None:
    async with workers(postgres_url) as (first, *_):
        await first.append("u1")
        connection = first.log._writing._connection
        assert connection
        connection.terminate()
        with pytest.raises(StoreError):
            await first.append("u2")
        await first.append("u3")
        assert first.seen == ["u1", "u3"]


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
            database = all_workers[number].log._database
            return asyncio.create_task(run_once(database, lambda: [job(number)]))

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
