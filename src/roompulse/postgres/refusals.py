"""Rejections of each worker, shared by the table `refusal`: so all show the same on /ingest."""

import secrets
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import Connection, text

from roompulse.clock import Clock
from roompulse.intake.refusals import WINDOW_MINUTES
from roompulse.intake.unshared import Noticed, Unshared
from roompulse.periodic import every
from roompulse.postgres.database import PostgresDatabase

LATEST = 60.0
"""Seconds after its time by which a row is committed, if at all."""

KEPT = 60.0 * WINDOW_MINUTES
PRUNE_EVERY = 60.0

# A row that was committed though its answer was lost is sent again, and exists already.
_TELL = text("INSERT INTO refusal VALUES (:worker, :number, :at, :noticed) ON CONFLICT DO NOTHING")
_OTHERS = text(
    "SELECT worker, number, noticed FROM refusal WHERE at > :since AND worker <> :worker ORDER BY at, worker, number"
)
_PRUNE = text("DELETE FROM refusal WHERE at < :before")

_decode = msgspec.msgpack.Decoder(Noticed).decode


class PostgresRefusals:
    def __init__(self, database: PostgresDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._worker = secrets.randbits(62)
        self._number = 0
        self._since = float("-inf")
        self._untold: bytes | None = None
        self._heard: Mapping[int, int] = {}
        """The number of the last row that was read, by worker, for workers whose rows may be read again."""

    async def exchange(self, mine: Unshared) -> Sequence[Noticed]:
        """Publish this worker's rejections, and return those of the others; at first, all of the last minutes."""
        now = self._clock()
        if self._untold is None and (noticed := mine.take()):
            self._untold = msgspec.msgpack.encode(noticed)
            self._number += 1
        row = {"worker": self._worker, "number": self._number, "at": now, "noticed": self._untold}
        since = {"worker": self._worker, "since": max(self._since, now - KEPT)}

        def work(connection: Connection) -> Sequence[Any]:
            if self._untold is not None:
                connection.execute(_TELL, row)
            return connection.execute(_OTHERS, since).all()

        rows = await self._database.write(work)
        self._untold, self._since = None, now - LATEST
        told = [_decode(noticed) for worker, number, noticed in rows if number > self._heard.get(worker, 0)]
        self._heard = {worker: number for worker, number, _ in sorted(rows, key=itemgetter(1))}
        return told

    async def run_pruning(self) -> None:
        await every(PRUNE_EVERY, self._prune, "old rejections by workers could not be deleted")

    async def _prune(self) -> None:
        before = {"before": self._clock() - KEPT}
        await self._database.write(lambda connection: connection.execute(_PRUNE, before))
