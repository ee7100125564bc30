"""What the rest of the program needs of a store: `sql_store.py`, `samples.py` and `sessions.py` implement it."""

from collections.abc import AsyncIterator, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Literal, Protocol, TypeVar

from msgspec import Struct

from roompulse.report.model import Received
from roompulse.rooms.model import Aggregate, Snapshot

T = TypeVar("T")

Steps = Generator[None, None, T]
"""A read in steps of at most FETCH_AT_ONCE rows, which `Reader` does. It holds no transaction between two of them."""

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

    With `reporter_id` the reports of one reporter, and media servers' reports on it. With `about` only their entries
    that may be about that user's media.
    """

    room_id: str
    after: float
    until: float
    reporter_id: str | None = None
    about: str | None = None


class Visit(Struct, frozen=True):
    """A period that a user was in a room: its first and last report, Unix seconds."""

    came_at: float
    heard_at: float


class Session(Struct, frozen=True):
    """A session of a room, that is a call: from its first to its last report. Figures are from its snapshots."""

    room_id: str
    """Its room."""
    started_at: float
    """First report, Unix seconds."""
    ended_at: float | None
    """Last report, Unix seconds; None while the room is live."""
    most_users: int | None
    """Peak number of users; None without snapshots."""
    worst_at: float | None
    """When the score was lowest, Unix seconds; None without snapshots."""
    worst_score: float | None
    """Lowest score of the room, 1.0 to 4.5; None without snapshots."""
    room_name: str | None = None
    """Its newest reported name."""


SessionOrder = Literal["ended", "score", "duration", "users"]


class SessionQuery(Struct, frozen=True):
    """Which ended sessions: of rooms whose id contains `search`, from the `offset`-th on in this order."""

    search: str = ""
    order: SessionOrder = "ended"
    offset: int = 0
    limit: int = 50


class SampleArchive(Protocol):
    """Stored reports. Methods raise StoreError when the database fails."""

    def reports(self, query: SampleQuery) -> Iterator[Sequence[Received]]:
        """Reports in the order of their receipt, a step for each portion, which may be empty.

        One may be split, or several merged, if that has the same effect.
        """
        ...

    def received(self, after: float, until: float) -> Iterator[Sequence[Received]]:
        """Reports of all rooms received after a time and until another (Unix seconds), as by `reports`."""
        ...

    async def visits(self, room_id: str, user_id: str, since: float, until: float, gap: float) -> list[Visit]:
        """When a user was in a room, oldest first: by its own reports or, without any, by others' reports about it.

        A silence of more than `gap` seconds ends a visit.
        """
        ...


class SessionStore(Protocol):
    """Sessions of rooms. Methods raise StoreError when the database fails."""

    async def begin(self, started: Sequence[tuple[str, float]]) -> None:
        """Save that these rooms started, with their times."""
        ...

    async def rename(self, names: Mapping[str, str]) -> None:
        """Save the names of rooms whose session is not ended."""
        ...

    async def unfinished(self) -> list[str]:
        """Rooms whose session is not ended."""
        ...

    async def end(self, room_id: str, ended_at: float | None, jumped: float = 0.0) -> None:
        """End the session of a room; None: at the time of its last snapshot.

        `jumped` is by how many seconds the clock was set meanwhile: its start is shifted by that.
        """
        ...

    async def of_room(self, room_id: str, limit: int) -> list[Session]:
        """The newest sessions of a room, newest first."""
        ...

    async def ended(self, query: SessionQuery) -> tuple[list[Session], int]:
        """Ended sessions, and how many there are without offset and limit."""
        ...


class ScoreHistory(Protocol):
    """The scores from which the trends of rooms are filled after a restart."""

    def scores(self, since: float) -> AsyncIterator[list[tuple[str, float, float | None]]]:
        """Room, time and score of the snapshots of all rooms after `since` (Unix seconds), newest first, in portions.

        Raises StoreError when the database fails.
        """
        ...


class Chronology(Protocol):
    """Stored times, to compare a clock with."""

    async def newest(self, before: float | None = None) -> float | None:
        """The time of the newest report or snapshot, or of the newest one before a time (Unix seconds).

        Raises StoreError when the database fails.
        """
        ...


class Log(Protocol):
    """Reports in the order of their commits, by any process; a follower applies them in this order.

    Methods raise StoreError when the database fails.
    """

    def prepared(self, received: Received) -> Received:
        """The same report, with what its commit needs."""
        ...

    async def append(self, reports: Sequence[Received]) -> Sequence[Received]:
        """Commit these reports, all or none, and return what was committed since the previous call, these included.

        Once this returns, they survive a crash of the process or the machine. Of two concurrent calls, neither
        returns the other's reports, so apply the result of a call before anything else is awaited.
        """
        ...

    async def news(self) -> Sequence[Received]:
        """All reports committed before this call and since the previous call of `append` or `news`."""
        ...

    def recent(self, since: float) -> AsyncIterator[Received]:
        """Reports received after `since` (Unix seconds), in their order; `news` continues from there.

        One may be split by the users it is about, or several merged, if that has the same effect.
        """
        ...


class Store(Protocol):
    """Every method raises StoreError when the database fails; its transaction is then rolled back."""

    async def add_snapshots(self, timestamp: float, aggregates: Iterable[tuple[str, Aggregate]]) -> None:
        """Commit the aggregates of these rooms at `timestamp`."""
        ...

    def history(self, query: HistoryQuery) -> Steps[Sequence[Snapshot] | None]:
        """Snapshots, oldest first; None if neither a snapshot nor a report of the room is stored."""
        ...

    def snapshots(self, room_id: str, start: float, end: float) -> Iterator[Sequence[Snapshot]]:
        """All snapshots of a room from `start` to `end` (Unix seconds), oldest first, a step for each portion."""
        ...

    async def prune(self, samples_before: float, snapshots_before: float) -> int:
        """Delete some of the rows that are older than these times, and return how many were deleted."""
        ...
