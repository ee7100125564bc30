"""The singleton jobs, which run in the worker that holds the lease."""

import asyncio
import logging
from contextlib import suppress

from roompulse.errors import StoreError
from roompulse.periodic import Jobs
from roompulse.postgres.database import MIGRATING, PostgresDatabase
from roompulse.postgres.errors import driver_errors

logger = logging.getLogger(__name__)

LEASE = MIGRATING + 2

CHECK_EVERY = 1.0
"""Seconds between two checks whether the lease is free, or still held."""

_TIMEOUT = 2.0

_HANGS_AFTER = 5_000
"""Milliseconds without a check after which PostgreSQL ends the connection: a worker that hangs holds nothing."""


async def run_once(database: PostgresDatabase, jobs: Jobs) -> None:
    """Run these jobs while this worker holds an advisory lock; if its connection is lost, another worker gets it."""
    while True:
        try:
            await _hold(database, jobs)
        except StoreError as error:
            logger.warning("the lease is lost: %s", error)
            await asyncio.sleep(CHECK_EVERY)


async def _hold(database: PostgresDatabase, jobs: Jobs) -> None:
    connection = await database.connect()
    tasks: list[asyncio.Task[None]] = []
    lost = asyncio.Event()
    connection.add_termination_listener(lambda _connection: lost.set())
    try:
        with driver_errors():
            await connection.execute(f"SET idle_session_timeout = {_HANGS_AFTER}", timeout=_TIMEOUT)
            take = f"SELECT pg_try_advisory_lock({LEASE}, hashtext(current_schema()))"
            while not await connection.fetchval(take, timeout=_TIMEOUT):
                await asyncio.sleep(CHECK_EVERY)
            logger.info("this worker takes snapshots, records sessions and deletes old rows")
            tasks = [asyncio.create_task(job) for job in await jobs()]
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(CHECK_EVERY):
                        await lost.wait()
                await connection.fetchval("SELECT 1", timeout=_TIMEOUT)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        connection.terminate()
