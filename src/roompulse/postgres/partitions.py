"""Samples by the hour and snapshots by the day: tables that are created in advance, and dropped as a whole."""

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Connection, text

from roompulse.clock import Clock
from roompulse.periodic import every
from roompulse.postgres.database import PostgresDatabase
from roompulse.postgres.errors import driver_errors
from roompulse.rooms.model import Aggregate
from roompulse.settings import Settings
from roompulse.store.engine import Database
from roompulse.store.schema import samples, snapshots
from roompulse.store.sql_store import SqlStore

logger = logging.getLogger(__name__)

SPANS = {samples.name: 3_600.0, snapshots.name: 86_400.0}
"""Seconds of one table."""

TIMES = {samples.name: samples.c.received_at.name, snapshots.name: snapshots.c.timestamp.name}
"""The column by which rows are divided."""

MADE_AHEAD = 2
MAKE_EVERY = 60.0

_MAKE = text("SELECT make_partition(:parent, :at)")

# Tables with such a name, also where a drop was interrupted before or after it was detached.
_FIND = text("""
SELECT c.relname, i.inhdetachpending FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
WHERE c.relnamespace = CAST(current_schema() AS regnamespace) AND c.relkind = 'r' AND c.relname ~ :name
ORDER BY c.relname
""")
_SINCE = text("SELECT since FROM partitioned WHERE parent = :parent")


class Partitions:
    def __init__(self, database: PostgresDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def make(self, parent: str, *times: float) -> None:
        """Create the tables for some times (Unix seconds); raises StoreError."""
        wanted = [{"parent": parent, "at": round(1000 * time)} for time in times]

        def work(connection: Connection) -> None:
            for one in wanted:
                connection.execute(_MAKE, one)

        await self._database.write(work)

    async def make_ahead(self) -> None:
        """Create the current and the next tables; raises StoreError."""
        for parent, span in SPANS.items():
            await self.make(parent, *(self._clock() + number * span for number in range(MADE_AHEAD + 1)))

    async def run(self) -> None:
        await every(MAKE_EVERY, self.make_ahead, "tables for new reports could not be made")

    async def drop(self, parent: str, before: float) -> None:
        """Drop the tables that have nothing later than a time (Unix seconds); raises StoreError.

        A long read delays this by up to a second; then the next call continues.
        """

        def work(connection: Connection) -> Sequence[Any]:
            since = connection.scalar(_SINCE, {"parent": parent})
            found = connection.execute(_FIND, {"name": f"^{parent}_(before|\\d{{10}})$"}).all()
            return [row for row in found if _end_of(row.relname, parent, since or 0) <= before]

        if over := await self._database.write(work):
            connection = await self._database.connect()
            try:
                with driver_errors():
                    await connection.execute("SET lock_timeout = '1s'")
                    for name, is_detaching in over:
                        await _drop(connection, parent, name, is_detaching=is_detaching)
            finally:
                connection.terminate()


def _end_of(name: str, parent: str, since: int) -> float:
    """The end of this table's time (Unix seconds)."""
    span = name.removeprefix(f"{parent}_")
    if span == "before":
        return since / 1000
    return datetime.strptime(span, "%Y%m%d%H").replace(tzinfo=UTC).timestamp() + SPANS[parent]


async def _drop(connection: Any, parent: str, name: str, *, is_detaching: bool | None) -> None:
    """`is_detaching` says whether this was begun before; None: it is no longer a part of the parent."""
    if is_detaching is not None:
        # Blocks no insert, unlike a drop that waits for a long read.
        how = "FINALIZE" if is_detaching else "CONCURRENTLY"
        await connection.execute(f"ALTER TABLE {parent} DETACH PARTITION {name} {how}")
    if name.endswith("_before"):
        await connection.execute("UPDATE partitioned SET since = 0 WHERE parent = $1", parent)
    await connection.execute(f"DROP TABLE {name}")
    logger.info("the table %s was dropped, as all in it is too old", name)


class PostgresStore(SqlStore):
    """A store whose samples and snapshots are dropped by table, unless the retention is shorter than one table."""

    def __init__(self, database: PostgresDatabase, partitions: Partitions, settings: Settings) -> None:
        super().__init__(cast("Database", database))  # the same methods
        self._partitions = partitions
        kept = {samples.name: settings.sample_retention, snapshots.name: settings.snapshot_retention}
        self._by_row = [table for table in (samples, snapshots) if kept[table.name] < SPANS[table.name]]

    async def add_snapshots(self, timestamp: float, aggregates: Iterable[tuple[str, Aggregate]]) -> None:
        await self._partitions.make(snapshots.name, timestamp)
        await super().add_snapshots(timestamp, aggregates)

    async def prune(self, samples_before: float, snapshots_before: float) -> int:
        await self._partitions.drop(samples.name, samples_before)
        await self._partitions.drop(snapshots.name, snapshots_before)
        return await super().prune(samples_before, snapshots_before)
