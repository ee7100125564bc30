"""Queries and answers of insights. Times are Unix seconds; shares are percent."""

from typing import Literal, get_args

from msgspec import Struct

from roompulse.quality import TermName
from roompulse.report.ids import label_fault
from roompulse.store.schema import MINUTE

LOOK_EVERY = 10
"""Seconds between two samples, on the wall-clock grid: each is of one of PARTS of the users, so each once a minute."""

PARTS = MINUTE // LOOK_EVERY
"""Of the users, by their ids."""

Dimension = Literal[
    "sdk_version",
    "browser",
    "os",
    "device",
    "network_type",
    "candidate_type",
    "protocol",
    "video_codec",
    "audio_codec",
    "direction",
]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
LABEL = "label:"
"""The prefix of a label's dimension, followed by its key."""

WORDS: dict[str, str] = {
    "sdk_version": "SDK version",
    "browser": "Browser",
    "os": "OS",
    "device": "Device",
    "network_type": "Network",
    "candidate_type": "Candidate type",
    "protocol": "Protocol",
    "video_codec": "Video codec",
    "audio_codec": "Audio codec",
    "direction": "Direction",
}


def words_of(dimension: str) -> str:
    """A dimension as pages name it."""
    return WORDS.get(dimension) or f"Label {dimension.removeprefix(LABEL)}"


def is_dimension(text: str) -> bool:
    if text.startswith(LABEL):
        return label_fault(text.removeprefix(LABEL)) is None
    return text in DIMENSIONS


class Span(Struct, frozen=True):
    """The minutes that begin from `start` on and before `end`."""

    start: float
    end: float

    def before(self) -> "Span":
        """The previous range of the same length."""
        return Span(max(0.0, 2 * self.start - self.end), self.start)


class TopTerm(Struct, frozen=True):
    """A term that cost users much."""

    term: TermName
    """What impairs streams."""
    share: float
    """% of the fair and poor user-minutes in which it cost the most."""


class Scores(Struct, frozen=True):
    """By nearest rank, to 0.05."""

    p10: float
    """10th percentile of user-minutes, 1.0 to 4.5."""
    median: float
    """Of user-minutes, 1.0 to 4.5."""


class Against(Struct, frozen=True):
    """A group compared with all others, or with its own earlier time."""

    poor: float
    """% of their user-minutes that is poor."""
    difference: float
    """By how much the group's own share is higher: percentage points (%)."""
    significant: bool
    """Whether that is more than chance (docs/insights.md has the test)."""


class Group(Struct, frozen=True):
    """The users that have one value of a dimension."""

    value: str | None
    """What its users have in common; None of the rest."""
    users: int
    """Users."""
    user_minutes: int
    """Sum of the minutes of its users."""
    good: float | None
    """% of its user-minutes; None where there are none."""
    fair: float | None
    """% of its user-minutes; None where there are none."""
    poor: float | None
    """% of its user-minutes; None where there are none."""
    score: Scores | None
    """Of its user-minutes; None without a score."""
    top_terms: list[TopTerm]
    """The costliest terms, the most frequent first."""
    against: Against | None
    """Compared with all others, or with its own earlier time; None where there is nothing to compare with."""


class Insights(Struct, frozen=True):
    """Users by what they have in common."""

    by: str
    """What users are grouped by."""
    groups: list[Group]
    """The groups with the most user-minutes, the largest first."""
    rest: Group
    """All other values."""


class TrendPoint(Struct, frozen=True):
    """The whole server: means over a step."""

    timestamp: float
    """When the step began, Unix seconds."""
    rooms: float
    """Live rooms, mean."""
    users: float
    """Users in them, mean."""
    good: float
    """Users whose level is good, mean."""
    fair: float
    """Users whose level is fair, mean."""
    poor: float
    """Users whose level is poor, mean."""
    unknown: float
    """Users without a score, mean."""
    reports: float
    """Reports a second."""
