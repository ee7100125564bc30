"""Calls and the report on one, in the shapes that JSON consumers and pages share. Times are Unix seconds."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from roompulse.events.model import TimelineEvent
from roompulse.report.model import Device
from roompulse.store.contract import Session

CallOrder = Literal["ended", "score", "duration", "users"]
"""Newest end first (live calls before), lowest score, longest, most users."""


class CallsQuery(Struct, frozen=True):
    """Which calls: those with `q` in the id or name of the room or of a user, ignoring case.

    They overlap `start` to `end` (Unix seconds) where given; `limit` of them, from the `offset`-th on.
    """

    q: str = ""
    order: CallOrder = "ended"
    start: float | None = None
    end: float | None = None
    room_id: str | None = None
    offset: int = 0
    limit: int = 50


class Calls(Struct, frozen=True, gc=False):
    """The calls that match."""

    calls: Sequence[Session]
    """The requested calls."""
    count: int
    """Calls that match."""


class Minutes(Struct, frozen=True, gc=False):
    """How long a user was at each level."""

    good: float
    """Minutes in which its level was good."""
    fair: float
    """Minutes in which its level was fair."""
    poor: float
    """Minutes in which its level was poor."""
    unknown: float
    """Minutes without a score."""


class Stay(Struct, frozen=True, gc=False):
    """A user in a room, from joining to leaving."""

    joined: float
    """Unix seconds."""
    left: float | None
    """Last report, Unix seconds; None while it is there."""
    minutes: str
    """A letter for each minute: the worst level in it, `p`oor, `f`air, `g`ood or `u`nknown."""


class CallUser(Struct, frozen=True, gc=False):
    """One user's quality in a call."""

    user_id: str
    """As it was reported."""
    user_name: str | None
    """The newest that was given."""
    joined: float
    """For the first time, Unix seconds."""
    left: float | None
    """Last report, Unix seconds; None while it is there."""
    device: Device | None
    """The newest that was given."""
    minutes: Minutes
    """How long it was at each level."""
    score: float | None
    """Mean, 1.0 to 4.5; None for a user that was never rated."""
    worst: float | None
    """Lowest score, 1.0 to 4.5; None for a user that was never rated."""
    worst_at: float | None
    """When that was, Unix seconds."""
    reasons: Sequence[str]
    """For that score, in words, the costliest first."""
    stays: Sequence[Stay]
    """Its stays in the room."""


class WorstMinute(Struct, frozen=True, gc=False):
    """The minute with the lowest score of the room, and its users by level then."""

    timestamp: float
    """When it began, Unix seconds."""
    score: float
    """Of the room, 1.0 to 4.5."""
    good: int
    """Users whose level is good."""
    fair: int
    """Users whose level is fair."""
    poor: int
    """Users whose level is poor."""
    unknown: int
    """Users without a score."""


class VerdictSpan(Struct, frozen=True, gc=False, rename={"start": "from", "end": "to"}):
    """The verdict on the room from one time to another."""

    start: float
    """Unix seconds."""
    end: float
    """Unix seconds."""
    text: str
    """In words."""


class CallReport(Struct, frozen=True, gc=False):
    """One call."""

    room_id: str
    """Its room."""
    room_name: str | None
    """The newest that was given."""
    started_at: float
    """First report, Unix seconds."""
    ended_at: float | None
    """Last report, Unix seconds; None while it is live."""
    users: Sequence[CallUser]
    """Users with the worst quality first."""
    worst_minute: WorstMinute | None
    """The minute with the lowest score of the room; None where it had no score."""
    verdicts: Sequence[VerdictSpan]
    """The verdicts on the room, in order."""
    events: Sequence[TimelineEvent]
    """What happened, oldest first: the newest 1000."""
    text: str
    """The call in five sentences."""
