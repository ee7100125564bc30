"""The answer of GET /report/overview, which its stream sends too."""

from collections.abc import Sequence

from msgspec import Struct

from roompulse.rooms.model import RoomSummary


class Totals(Struct, frozen=True, gc=False):
    """Live rooms, their users, and these by level; reports per second, and when the newest one came (Unix seconds)."""

    rooms: int
    users: int
    good: int
    fair: int
    poor: int
    unknown: int
    reports_per_second: float
    received_at: float | None


class Overview(Struct, frozen=True, gc=False):
    """`totals` are of all live rooms; `count` is how many match, of which `rooms` are those asked for."""

    totals: Totals
    rooms: Sequence[RoomSummary]
    count: int
