"""What the rest of the program needs of a store. `sql.py` keeps it in an SQL database."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Protocol

from msgspec import Struct

from roompulse.report.model import Received
from roompulse.rooms.model import Aggregate, Snapshot

DEFAULT_LIMIT = 720
"""Snapshots: two hours of them, ten seconds apart."""


class HistoryQuery(Struct, frozen=True):
    """Which snapshots of a room: from `start` to `end` (Unix seconds, both included), the newest `limit` of them.

    With `step` (seconds), snapshots are merged into steps that long, and `limit` counts steps.
    """

    room_id: str
    start: float | None = None
    end: float | None = None
    step: float | None = None
    limit: int = DEFAULT_LIMIT


class ScoreHistory(Protocol):
    """What the trends of rooms are refilled from."""

    def scores(self, since: float) -> AsyncIterator[list[tuple[str, float, float | None]]]:
        """Room, time and score of the snapshots of all rooms after `since` (Unix seconds), newest first, in portions.

        Raises StoreError when the database fails.
        """
        ...


class Store(Protocol):
    """Every method raises StoreError when the database fails; what it began is then rolled back."""

    async def append(self, reports: Sequence[Received]) -> None:
        """Commit these reports, all or none. They survive a crash of process and machine once this returns."""
        ...

    def recent(self, since: float) -> AsyncIterator[Received]:
        """Reports received after `since` (Unix seconds), in the order of their receipt.

        A report about several users may come back as several reports with the same effect.
        """
        ...

    async def add_snapshots(self, timestamp: float, aggregates: Iterable[tuple[str, Aggregate]]) -> None:
        """Commit the aggregates of these rooms as they are at `timestamp`."""
        ...

    async def history(self, query: HistoryQuery) -> list[Snapshot] | None:
        """Snapshots, oldest first; None if neither a snapshot nor a report of the room is kept."""
        ...

    async def prune(self, samples_before: float, snapshots_before: float) -> int:
        """Delete a few of what is older than these times, and return how many rows that were."""
        ...
