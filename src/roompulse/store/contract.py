"""What the rest of the program needs of a store. `sql.py` keeps it in an SQL database."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Literal, Protocol

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


class SampleQuery(Struct, frozen=True):
    """Which reports of a room: received after `after` and not after `until` (Unix seconds).

    With `reporter_id` those of one reporter; with `about` only their entries about that user.
    """

    room_id: str
    after: float
    until: float
    reporter_id: str | None = None
    about: str | None = None


class Visit(Struct, frozen=True):
    """A time that a user was in a room: first and last heard of, Unix seconds."""

    came_at: float
    heard_at: float


class Session(Struct, frozen=True):
    """A room from its first to its last report (Unix seconds); `ended_at` is None while it is live.

    `most_users`, and the lowest score with its time, are those of its snapshots: None where there is none.
    """

    room_id: str
    started_at: float
    ended_at: float | None
    most_users: int | None
    worst_at: float | None
    worst_score: float | None


SessionOrder = Literal["ended", "score", "duration", "users"]


class SessionQuery(Struct, frozen=True):
    """Which ended sessions: those with `search` in the id of the room, from the `offset`-th on in this order."""

    search: str = ""
    order: SessionOrder = "ended"
    offset: int = 0
    limit: int = 50


class SampleArchive(Protocol):
    """What was reported earlier. Methods raise StoreError when the database fails."""

    def reports(self, query: SampleQuery) -> AsyncIterator[Received]:
        """Reports in the order of their receipt, divided or joined where that has the same effect."""
        ...

    async def visits(self, room_id: str, user_id: str, since: float, until: float, gap: float) -> list[Visit]:
        """When a user was in a room, oldest first, by what it reported or, if it did not, by what others did about it.

        Silence of more than `gap` seconds ends a visit.
        """
        ...


class SessionStore(Protocol):
    """Sessions of rooms. Methods raise StoreError when the database fails."""

    async def begin(self, started: Sequence[tuple[str, float]]) -> None:
        """Note that these rooms started, and when."""
        ...

    async def unfinished(self) -> list[str]:
        """Rooms whose session has not ended."""
        ...

    async def end(self, room_id: str, ended_at: float | None) -> None:
        """End the session of a room; None stands for the time of its last snapshot."""
        ...

    async def of_room(self, room_id: str, limit: int) -> list[Session]:
        """The newest sessions of a room, newest first."""
        ...

    async def ended(self, query: SessionQuery) -> tuple[list[Session], int]:
        """Sessions that have ended, and how many there are without offset and limit."""
        ...


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

        They may come back divided by whom they are about, or joined, with the same effect.
        """
        ...

    async def add_snapshots(self, timestamp: float, aggregates: Iterable[tuple[str, Aggregate]]) -> None:
        """Commit the aggregates of these rooms as they are at `timestamp`."""
        ...

    async def history(self, query: HistoryQuery) -> Sequence[Snapshot] | None:
        """Snapshots, oldest first; None if neither a snapshot nor a report of the room is kept."""
        ...

    async def prune(self, samples_before: float, snapshots_before: float) -> int:
        """Delete a few of what is older than these times, and return how many rows that were."""
        ...
