"""The log in PostgreSQL: every worker commits to it and follows it, in one order for all."""

import logging
import secrets
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import msgspec
from msgspec.structs import replace
from sqlalchemy import text

from roompulse.clock import Clock, since_boot
from roompulse.errors import StoreError
from roompulse.periodic import every
from roompulse.postgres.database import PostgresDatabase
from roompulse.postgres.errors import driver_errors
from roompulse.quality import FRAME_RATE_WINDOW
from roompulse.report.model import Received, Report
from roompulse.store.row_codec import rows_of

BATCHES_AT_ONCE = 200

KEPT = 180.0
"""Seconds for which a batch is kept after it no longer affects live rooms: a worker that was stopped for longer
misses nothing either, as the remaining batches include all that do."""

PRUNE_EVERY = 10.0

_PUT = "SELECT * FROM put($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
_NEWS = (
    "SELECT position, ticket, CASE WHEN worker = $2 AND ticket = ANY($3::bigint[]) THEN NULL ELSE reports END"
    " FROM batch WHERE position > $1 ORDER BY position LIMIT $4"
)
_RECENT = "SELECT position, reports FROM batch WHERE at > $1 ORDER BY position"
_END = "SELECT coalesce(max(position), 0) FROM batch"
_PRUNE = text(
    "DELETE FROM batch WHERE position IN"
    " (SELECT position FROM batch WHERE at < :before AND position <= :last ORDER BY position LIMIT :most)"
)

# A batch without a report, and so without a position of a report.
_TELL = text("SELECT put('{}', '{}', '{}', '{}', '{}', '{}', '{}', :worker, 0, 0, :message, :since)")
_NO_NEWS = 2**62

logger = logging.getLogger(__name__)

_pack = msgspec.msgpack.Encoder().encode


class _Envelope(msgspec.Struct, array_like=True, gc=False):
    """A report in a batch. It is packed separately, so that a reader of some rooms unpacks only theirs."""

    room_id: str
    at: float
    sender: str
    by_token: bool
    report: msgspec.Raw
    continues: bool = False


class _Told(msgspec.Struct):
    """A worker's message to the others, in the place of reports."""

    worker: int
    message: bytes


_unpack_batch = msgspec.msgpack.Decoder(list[_Envelope] | _Told).decode
_unpack_report = msgspec.msgpack.Decoder(Report).decode


class PostgresLog:
    """Implements `Log`. A batch is one row of the table `batch`, committed in one round trip with its samples.

    The rows' positions are given out under a lock that the transaction holds until it is committed (`put` in the
    migrations): so they are in the order of the commits, and a reader that continues from a position misses none.
    """

    def __init__(self, database: PostgresDatabase, timeout: float) -> None:
        self._database = database
        self._timeout = timeout
        self._worker = secrets.randbits(62)
        self._ticket = 0
        self._position = 0
        # The end of the log at times (seconds since boot) of the last KEPT seconds, and before these.
        self._ends: deque[tuple[float, int]] = deque()
        self._old_end = 0
        self.changes = 0
        """The number of operators' changes: grows as the log is followed."""
        self.told: list[bytes] = []
        """Messages of other workers; the code that handles one removes it."""
        # Batches of this worker under way, by ticket: they need not be sent back and unpacked.
        self._own: dict[int, Sequence[Received]] = {}
        self._writing = _Connection(database)
        self._reading = _Connection(database)

    def prepared(self, received: Received) -> Received:
        return replace(received, rows=rows_of([received]))

    async def append(self, reports: Sequence[Received]) -> Sequence[Received]:
        self._ticket += 1
        ticket = self._ticket
        columns = [list(column) for column in zip(*rows_of(reports), strict=True)]
        at = round(1000 * max(one.at for one in reports))
        arguments = (*columns, self._worker, ticket, at, packed(reports), self._position)
        self._own[ticket] = reports
        try:
            rows = await self._writing.fetch(_PUT, *arguments, timeout=self._timeout)
        except StoreError as error:
            self._database.needs_room |= isinstance(error.__cause__, asyncpg.DiskFullError)
            raise
        finally:
            del self._own[ticket]  # If it is committed after all, it is read as if another worker had.
        return self._new_in(rows, {ticket: reports})

    async def news(self) -> Sequence[Received]:
        found: list[Received] = []
        while True:
            own = dict(self._own)
            rows = await self._reading.read(
                _NEWS, self._position, self._worker, list(own), BATCHES_AT_ONCE, timeout=self._timeout
            )
            found += self._new_in(rows, own)
            if len(rows) < BATCHES_AT_ONCE:
                return found

    def _new_in(self, rows: Sequence[Any], own: Mapping[int, Sequence[Received]]) -> list[Received]:
        """The reports of these batches, except those that another call has returned meanwhile.

        `own` has the reports that the database did not send, by ticket.
        """
        found: list[Received] = []
        for position, ticket, packed in rows:
            if position > self._position:
                reports = own[ticket] if packed is None else self._unpacked(packed)
                found += [
                    Received(one.report, one.at, one.sender, one.by_token, position, continues=one.continues)
                    for one in reports
                ]
                self._position = position
        return found

    def _unpacked(self, packed: bytes) -> Sequence[Received]:
        """The reports of a batch; a batch without reports is noted as a change or a message."""
        batch = _unpack_batch(packed)
        if isinstance(batch, list):
            self.changes += not batch
            return _reports_in(batch)
        if batch.worker != self._worker:
            self.told.append(batch.message)
        return ()

    async def tell(self, message: bytes) -> None:
        """Send a message to all other workers, in the order of the log; raises StoreError."""
        told = {"worker": self._worker, "message": _pack(_Told(self._worker, message)), "since": _NO_NEWS}
        await self._database.write(lambda connection: connection.execute(_TELL, told))

    async def recent(self, since: float) -> AsyncIterator[Received]:
        connection = await self._database.connect()
        try:
            with driver_errors():
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    end = await connection.fetchval(_END)
                    async for position, packed in connection.cursor(_RECENT, round(1000 * since)):
                        batch = _unpack_batch(packed)
                        for one in _reports_in(batch) if isinstance(batch, list) else ():
                            if one.at > since:
                                yield replace(one, position=position)
            self._position = max(self._position, end)
        finally:
            await connection.close()

    async def prune(self, before: float) -> None:
        """Delete batches whose reports were all received before a time (Unix seconds); raises StoreError.

        Changes and messages have the time of the report before them, which may be old: so none is deleted that was not
        in the log KEPT seconds ago, as other workers may not have read it.
        """
        now = since_boot()
        self._ends.append((now, self._position))
        while self._ends[0][0] <= now - KEPT:
            _, self._old_end = self._ends.popleft()
        old = {"before": round(1000 * before), "last": self._old_end, "most": BATCHES_AT_ONCE}
        while await self._database.write(lambda connection: connection.execute(_PRUNE, old).rowcount):
            pass

    async def run_pruning(self, clock: Clock, leave_after: float) -> None:
        kept = leave_after + FRAME_RATE_WINDOW + KEPT
        await every(PRUNE_EVERY, lambda: self.prune(clock() - kept), "old reports of the log could not be deleted")

    async def close(self) -> None:
        await self._writing.close()
        await self._reading.close()


class _Connection:
    """A connection that is opened on demand, and again after an error."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._connection: asyncpg.Connection[Any] | None = None

    async def read(self, statement: str, *arguments: Any, timeout: float) -> Sequence[Any]:  # noqa: ASYNC109
        """`fetch`, and again where the connection was lost since it was used last: that says nothing about now."""
        before = self._connection
        try:
            return await self.fetch(statement, *arguments, timeout=timeout)
        except StoreError as error:
            if before is None or isinstance(error.__cause__, TimeoutError):
                raise
        return await self.fetch(statement, *arguments, timeout=timeout)

    async def fetch(self, statement: str, *arguments: Any, timeout: float) -> Sequence[Any]:  # noqa: ASYNC109
        """Raises StoreError."""
        try:
            with driver_errors():
                if self._connection is None or self._connection.is_closed():
                    self._connection = await self._database.connect()
                    self._connection.add_log_listener(_warn)
                rows: Sequence[Any] = await self._connection.fetch(statement, *arguments, timeout=timeout)
        except BaseException:
            # Also where the caller is cancelled: no caller waits for the statement any more.
            connection, self._connection = self._connection, None
            if connection:
                connection.terminate()
            raise
        return rows

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            await connection.close()


def _warn(_connection: object, message: Any) -> None:
    """Log a notice of the migrations' functions for the operator."""
    if message.severity_en == "WARNING":
        logger.warning("%s", message.message)


def packed(reports: Sequence[Received]) -> bytes:
    """The reports in a row of the log."""
    return _pack([_enveloped(one) for one in reports])


def _enveloped(one: Received) -> _Envelope:
    report = msgspec.Raw(_pack(one.report))
    return _Envelope(one.report.room_id, one.at, one.sender, one.by_token, report, one.continues)


def _reports_in(batch: Sequence[_Envelope]) -> list[Received]:
    return [
        Received(_unpack_report(one.report), one.at, one.sender, one.by_token, continues=one.continues) for one in batch
    ]
