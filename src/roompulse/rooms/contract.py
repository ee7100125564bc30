"""What the rest of the program needs of live rooms. `memory.py` keeps them in this process."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from roompulse.errors import Problem
from roompulse.quality import StreamQuality
from roompulse.report.model import Received, Stream
from roompulse.rooms.given import Given
from roompulse.rooms.links import Reception, Weakest
from roompulse.rooms.model import RoomMetrics, RoomSummary, RoomTotals, UserMetrics
from roompulse.rooms.ranking import Place
from roompulse.rooms.same_id import TwoSdks
from roompulse.rooms.user import Return
from roompulse.rooms.verdict import Words


class LiveStream(Protocol):
    @property
    def received_at(self) -> float: ...

    @property
    def sample(self) -> Stream:
        """The newest report about it."""
        ...

    @property
    def quality(self) -> StreamQuality: ...


class SentStream(LiveStream, Protocol):
    @property
    def said_at(self) -> float:
        """Since when reports give this resolution, codec and limit (Unix seconds)."""
        ...


class LiveUser(Protocol):
    @property
    def version(self) -> int:
        """Changes whenever `metrics()` does."""
        ...

    @property
    def user_id(self) -> str: ...

    @property
    def stale(self) -> bool: ...

    @property
    def joined_at(self) -> float: ...

    @property
    def received_at(self) -> float:
        """Time of the newest report by or about it (Unix seconds)."""
        ...

    @property
    def two_sdks(self) -> TwoSdks | None:
        """The evidence that two SDKs report as this user, or None."""
        ...

    @property
    def late_by(self) -> float | None:
        """How old its own newest report was at its receipt, by its own clock (seconds); None if it was not late."""
        ...

    @property
    def given(self) -> Given: ...

    @property
    def by_itself(self) -> tuple[str, int] | None:
        """SDK version and `report_time` of its own newest report; None if only others report on it."""
        ...

    def metrics(self) -> UserMetrics: ...

    def score(self) -> float | None:
        """The score in `metrics()`, without its reasons; computed once per change."""
        ...

    def rated(self) -> Iterator[LiveStream]:
        """The streams that count for its score: sent ones, and those that it reported as received."""
        ...

    def weakest(self) -> Weakest:
        """The streams that decide its score."""
        ...

    @property
    def servers(self) -> Sequence[str]:
        """The media servers that report about it."""
        ...

    def stream_count(self) -> int:
        """How many streams the entries about it gave."""
        ...

    def steps(self) -> Iterator[None]:
        """Steps of some milliseconds, after which `metrics` takes no longer, unless the user changes between them."""
        ...

    def receptions(self) -> Sequence[Reception]:
        """The streams that it receives, with their senders."""
        ...

    def receptions_by_others(self) -> Sequence[Reception]:
        """The streams that it sends, as each other user receives them."""
        ...


class ChangedUser(LiveUser, Protocol):
    """A user as it is after a change, or as it was when it left."""

    @property
    def left_at(self) -> float | None:
        """None while it is in the room; for a user that left without a report, the end of LEAVE_AFTER."""
        ...

    @property
    def is_as_reported(self) -> bool:
        """Whether nothing has changed since `received_at`."""
        ...

    @property
    def returned(self) -> Return | None:
        """When it was last reported after being stale."""
        ...

    def sending(self) -> Iterator[SentStream]:
        """The streams that it sends by its own reports, without stale ones."""
        ...


class LiveRoom(Protocol):
    @property
    def room_id(self) -> str: ...

    @property
    def updated_at(self) -> float:
        """Time of its newest change (Unix seconds)."""
        ...

    @property
    def version(self) -> int:
        """Changes whenever `metrics()` does, and grows with every change of any room."""
        ...

    @property
    def room_name(self) -> str | None:
        """Its newest reported name."""
        ...

    @property
    def tag(self) -> str:
        """Identifies the state of `metrics()`, in every process that follows the log, and after a restart."""
        ...

    @property
    def started_at(self) -> float:
        """Time of its first report (Unix seconds), or of the first one used to rebuild live rooms."""
        ...

    @property
    def heard_at(self) -> float:
        """Time of its newest report (Unix seconds)."""
        ...

    @property
    def users(self) -> Mapping[str, LiveUser]:
        """Its users by id; not to be kept, as it changes with them."""
        ...

    def metrics(self) -> RoomMetrics: ...

    def totals(self) -> RoomTotals:
        """What `metrics()` has without the users."""
        ...

    def summary(self) -> RoomSummary:
        """The room without its users: several times as fast as `metrics()` where the room has changed."""
        ...

    def steps(self) -> Iterator[None]:
        """Steps of some milliseconds, after which `summary` takes no longer: between them everything else has a turn.

        What changes meanwhile, it has too.
        """
        ...

    def worst_first(self) -> Sequence[Place]:
        """The places of its users; not to be kept, as it changes with them."""
        ...

    def verdict(self) -> Words: ...

    def user(self, user_id: str) -> LiveUser | None: ...


class LiveRooms(Protocol):
    def admit(self, reports: Sequence[Received]) -> list[Problem | None]:
        """For each report why it does not fit the limits (None if it does), in the order of receipt.

        A report that fits counts as applied when the next one is checked.
        """
        ...

    def apply(self, received: Received) -> None:
        """Make a committed report visible; reports are passed in the order of receipt.

        A report older than its reporter's newest changes nothing: it goes to history only.
        """
        ...

    def expire(self, now: float, jumped: float = 0.0) -> set[str]:
        """Mark stale users, drop those that left, and return the ids of the rooms that this changed or ended.

        Each change is dated to when it was due.
        `jumped` is by how many seconds the clock was set since the previous call: ages do not change.
        """
        ...

    def next_due(self) -> float:
        """The time (Unix seconds) until which `expire` changes nothing without a report; infinite if it never does."""
        ...

    def ids(self, since: int = 0) -> Sequence[str]:
        """Ids of the live rooms, sorted; with `since`, only of rooms of a higher version, in any order."""
        ...

    def get(self, room_id: str) -> LiveRoom | None:
        """The room as of the last `apply` or `expire`, or None if it is not live."""
        ...


class RoomChanges(Protocol):
    """What changed in live rooms, for one reader."""

    def take_changes(self) -> Sequence[tuple[LiveRoom, Sequence[ChangedUser]]]:
        """Rooms that started, changed or ended since the previous call, each with users who joined, changed or left.

        A room that ended comes before one that started under its id, a user who left before one who joined under it.
        """
        ...

    def get(self, room_id: str) -> LiveRoom | None:
        """The room as of the last `apply` or `expire`, or None if it is not live."""
        ...
