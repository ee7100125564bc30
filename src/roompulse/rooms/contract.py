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
        """Since when it is said to be sent with this resolution and codec, and limited by this (Unix seconds)."""
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
        """What tells that two SDKs report as this user; None if nothing does."""
        ...

    @property
    def late_by(self) -> float | None:
        """How old its own newest report was at its receipt, by its own clock (seconds); None if it was not late."""
        ...

    @property
    def given(self) -> Given: ...

    @property
    def by_itself(self) -> tuple[str, int] | None:
        """SDK version and `report_time` of its own newest report; None of one of whom only others report."""
        ...

    def metrics(self) -> UserMetrics: ...

    def score(self) -> float | None:
        """The score that `metrics()` has, without its reasons; found once per change."""
        ...

    def rated(self) -> Iterator[LiveStream]:
        """The streams that count for its score: what it sends, and what it reported to receive."""
        ...

    def weakest(self) -> Weakest:
        """The streams that decide its score."""
        ...

    @property
    def servers(self) -> Sequence[str]:
        """The media servers that report about it."""
        ...

    def receptions(self) -> Sequence[Reception]:
        """What it receives, from whom."""
        ...

    def receptions_by_others(self) -> Sequence[Reception]:
        """What it sends, as each of the others receives it."""
        ...


class ChangedUser(LiveUser, Protocol):
    """A user as it is after a change, or as it was when it left."""

    @property
    def left_at(self) -> float | None:
        """None while it is in the room; of one who went without a word, when it had been silent for LEAVE_AFTER."""
        ...

    @property
    def is_as_reported(self) -> bool:
        """Whether nothing has changed since `received_at`."""
        ...

    @property
    def returned(self) -> Return | None:
        """When it was last reported again after it had been stale."""
        ...

    def sending(self) -> Iterator[SentStream]:
        """What it sends by its own reports, without stale streams."""
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
        """Changes whenever `metrics()` does, and is higher than that of every earlier change of any room."""
        ...

    @property
    def room_name(self) -> str | None:
        """The newest name that it was given."""
        ...

    @property
    def tag(self) -> str:
        """Names the state that `metrics()` shows, in every process that follows the log, and after a restart."""
        ...

    @property
    def started_at(self) -> float:
        """Time of its first report (Unix seconds), or of the first one that live rooms were rebuilt from."""
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

    def worst_first(self) -> Sequence[Place]:
        """The places of its users; not to be kept, as it changes with them."""
        ...

    def verdict(self) -> Words: ...

    def user(self, user_id: str) -> LiveUser | None: ...


class LiveRooms(Protocol):
    def admit(self, reports: Sequence[Received]) -> list[Problem | None]:
        """Say of each report why it does not fit the limits (None if it does), in the order of their receipt.

        A report that fits counts as applied when the next one is checked.
        """
        ...

    def apply(self, received: Received) -> None:
        """Make a committed report visible; reports come in the order of their receipt.

        One that is older than its reporter's newest changes nothing: it is for history alone.
        """
        ...

    def expire(self, now: float, jumped: float = 0.0) -> set[str]:
        """Mark who is stale, drop who left, and return the ids of the rooms that this changed or ended.

        Each change is dated to when it was due, not to when it is found.
        `jumped` is by how many seconds the clock was set since the previous call: ages stay as they are.
        """
        ...

    def next_due(self) -> float:
        """The time (Unix seconds) until which `expire` changes nothing without a report; infinite if it never does."""
        ...

    def ids(self, since: int = 0) -> Sequence[str]:
        """Ids of the rooms that are live, sorted; with `since`, only of those of a higher version, in any order."""
        ...

    def get(self, room_id: str) -> LiveRoom | None:
        """The room as of the last `apply` or `expire`, or None if it is not live."""
        ...


class RoomChanges(Protocol):
    """What changed in live rooms, for one reader."""

    def take_changes(self) -> Sequence[tuple[LiveRoom, Sequence[ChangedUser]]]:
        """Rooms that started, changed or ended since the previous call, each with the users who came, changed or left.

        A room that ended comes before one that started under its id, a user who left before one who came under its id.
        """
        ...

    def get(self, room_id: str) -> LiveRoom | None:
        """The room as of the last `apply` or `expire`, or None if it is not live."""
        ...
