"""The answer of GET /report/overview, which its stream sends too."""

from collections.abc import Sequence

from msgspec import Struct

from roompulse.rooms.model import RoomSummary


class Totals(Struct, frozen=True, gc=False):
    """Of all live rooms."""

    rooms: int
    """Live rooms."""
    users: int
    """Users in them."""
    good: int
    """Users whose level is good."""
    fair: int
    """Users whose level is fair."""
    poor: int
    """Users whose level is poor."""
    unknown: int
    """Users without a score."""
    reports_per_second: float
    """Reports a second, over the last 10 s."""
    received_at: float | None
    """When the newest report came, Unix seconds; None without any."""


class Overview(Struct, frozen=True, gc=False):
    """The live rooms that match, and totals."""

    totals: Totals
    """All live rooms."""
    rooms: Sequence[RoomSummary]
    """The requested rooms."""
    count: int
    """Rooms that match."""
