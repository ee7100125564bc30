"""The time and quality of each user in a room: summed up while rooms are live, and saved for reports on calls."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from roompulse.quality import GOOD_FROM, Level, level_of
from roompulse.report.model import Device
from roompulse.rooms.contract import LiveUser

LETTERS: dict[Level, str] = {"unknown": "u", "good": "g", "fair": "f", "poor": "p"}
"""From unknown to the worst."""

_RANK = {letter: rank for rank, letter in enumerate(LETTERS.values())}
_MINUTE = 60.0
_REASONS = 3
LONGEST = 2880
"""Minutes of a stay that are kept individually: two days."""


def searched(ident: str, name: str | None) -> str:
    """The case-folded text of a search: the id and the name of a user or a room."""
    return (f"{ident}\n{name}" if name else ident).casefold()


class Figures(Struct):
    """Sums: seconds by level and of the score, the worst moment, and a letter for each minute."""

    seconds: dict[Level, float] = msgspec.field(default_factory=dict)
    scored: float = 0.0
    """The sum of scores times seconds."""
    worst: float | None = None
    worst_at: float | None = None
    reasons: list[str] = msgspec.field(default_factory=list)
    minutes: str = ""
    device: Device | None = None

    @property
    def score(self) -> float | None:
        """The average."""
        known = sum(seconds for level, seconds in self.seconds.items() if level != "unknown")
        return round(self.scored / known, 2) if known else None


class Attendance:
    """One user in one room until it leaves. After a restart `user` is None until a saved one is reported again."""

    def __init__(self, room_id: str, user_id: str, joined_at: float, user: LiveUser | None = None) -> None:
        self.room_id = room_id
        self.user_id = user_id
        self.joined_at = joined_at
        self.user = user
        self.user_name: str | None = None
        self.seen_at = joined_at
        self.figures = Figures()
        self.row_id: int | None = None
        self.saved_at: float | None = None
        self._elapsed = 0.0

    @classmethod
    def of_row(cls, row: Any) -> "Attendance":
        one = cls(row.room_id, row.user_id, row.joined_at / 1000)
        one.row_id = row.id
        one.user_name, one.seen_at, one.saved_at = row.user_name, row.seen_at / 1000, row.seen_at / 1000
        one.figures = msgspec.json.decode(row.figures, type=Figures)
        one._elapsed = _MINUTE * len(one.figures.minutes)
        return one

    def note(self, user: LiveUser, now: float, seconds: float) -> None:
        """Count the user as it is now for the `seconds` before."""
        self.user, self.seen_at = user, user.received_at
        self.user_name = user.given.user_name or self.user_name
        figures, score = self.figures, user.score()
        level = level_of(score)
        figures.seconds[level] = figures.seconds.get(level, 0.0) + seconds
        if score is not None:
            figures.scored += score * seconds
            if figures.worst is None or score < figures.worst:
                self._note_worst(user, score, now)
        self._note_minute(LETTERS[level], seconds)

    def _note_worst(self, user: LiveUser, score: float, now: float) -> None:
        figures = self.figures
        figures.worst, figures.worst_at = score, now
        if score < GOOD_FROM:
            figures.reasons = user.metrics().quality.reasons[:_REASONS]

    def _note_minute(self, letter: str, seconds: float) -> None:
        figures = self.figures
        self._elapsed += seconds
        if not figures.minutes or self._elapsed > _MINUTE * len(figures.minutes):
            if len(figures.minutes) < LONGEST:
                figures.minutes += letter
        elif _RANK[letter] > _RANK[figures.minutes[-1]]:
            figures.minutes = figures.minutes[:-1] + letter

    def row(self, *, left: bool) -> dict[str, Any]:
        """Its row, with an id once it is saved; for a user that left, in its final form."""
        if self.user is not None:
            self.seen_at = self.user.received_at
            self.figures.device = self.user.given.device or self.figures.device
        joined, seen = round(self.joined_at * 1000), round(self.seen_at * 1000)
        return {
            **({} if self.row_id is None else {"id": self.row_id}),
            "room_id": self.room_id,
            "user_id": self.user_id,
            "user_name": self.user_name,
            "searched": searched(self.user_id, self.user_name),
            "joined_at": joined,
            "seen_at": max(joined, seen),
            "left_at": max(joined, seen) if left else None,
            "figures": msgspec.json.encode(self.figures),
        }


class Attendances:
    """The attendances of all live users."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], Attendance] = {}

    def resume(self, attendances: Iterator[Attendance]) -> None:
        """Continue with attendances saved before a restart."""
        self._open = {(one.room_id, one.user_id): one for one in attendances}

    def note(self, room_id: str, user: LiveUser, now: float, seconds: float) -> Attendance | None:
        """Count a live user; returns the previous attendance under the same id that this one replaces, if any."""
        key = room_id, user.user_id
        known = self._open.get(key)
        if known is None or known.user not in (None, user):
            self._open[key] = Attendance(room_id, user.user_id, user.joined_at, user)
            self._open[key].note(user, now, min(seconds, max(0.0, now - user.joined_at)))
            return known
        known.note(user, now, seconds)
        return None

    def forget(self, key: tuple[str, str]) -> Attendance:
        return self._open.pop(key)

    def __iter__(self) -> Iterator[tuple[tuple[str, str], Attendance]]:
        return iter(self._open.items())
