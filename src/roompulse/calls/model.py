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
    """`count` is how many match, of which `calls` are those asked for."""

    calls: Sequence[Session]
    count: int


class Minutes(Struct, frozen=True, gc=False):
    """Minutes that a user was of each level."""

    good: float
    fair: float
    poor: float
    unknown: float


class Stay(Struct, frozen=True, gc=False):
    """A user in a room, from joining to leaving; `left` is None while it is there.

    `minutes` has a letter for each minute: the worst level in it, `p`oor, `f`air, `g`ood or `u`nknown.
    """

    joined: float
    left: float | None
    minutes: str


class CallUser(Struct, frozen=True, gc=False):
    """How a call went for one user.

    `score` is the average, `worst` the lowest, with its time and the reasons for it; both None of who was never rated.
    """

    user_id: str
    user_name: str | None
    joined: float
    left: float | None
    device: Device | None
    minutes: Minutes
    score: float | None
    worst: float | None
    worst_at: float | None
    reasons: Sequence[str]
    stays: Sequence[Stay]


class WorstMinute(Struct, frozen=True, gc=False):
    """The minute with the lowest score of the room, and its users by level then."""

    timestamp: float
    score: float
    good: int
    fair: int
    poor: int
    unknown: int


class VerdictSpan(Struct, frozen=True, gc=False, rename={"start": "from", "end": "to"}):
    """What was said of the room from one time to another."""

    start: float
    end: float
    text: str


class CallReport(Struct, frozen=True, gc=False):
    """One call; `ended_at` is None while it is live. `users` begin with who suffered most; `text` is five sentences."""

    room_id: str
    room_name: str | None
    started_at: float
    ended_at: float | None
    users: Sequence[CallUser]
    worst_minute: WorstMinute | None
    verdicts: Sequence[VerdictSpan]
    events: Sequence[TimelineEvent]
    text: str
