"""What insights are asked for, and answered with. Times are Unix seconds; shares are percent."""

from typing import Literal, get_args

from msgspec import Struct

from roompulse.quality import TermName
from roompulse.report.ids import label_fault
from roompulse.store.schema import MINUTE

LOOK_EVERY = 10
"""Seconds between two looks, on the wall-clock grid: each is at one of PARTS of the users, so at each once a minute."""

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
"""What the dimension of a label begins with, followed by its key."""

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
        """The time before, of the same length."""
        return Span(max(0.0, 2 * self.start - self.end), self.start)


class TopTerm(Struct, frozen=True):
    """A term, and the share of the fair and poor user-minutes in which it cost the most."""

    term: TermName
    share: float


class Scores(Struct, frozen=True):
    """Of user-minutes, by nearest rank, to 0.05."""

    p10: float
    median: float


class Against(Struct, frozen=True):
    """A group compared with all others, or with its own earlier time.

    `poor` is their share of poor user-minutes, `difference` by how many percentage points the group's own is higher,
    `significant` whether that is more than chance (docs/insights.md has the test).
    """

    poor: float
    difference: float
    significant: bool


class Group(Struct, frozen=True):
    """The users that have one value of a dimension; `value` is None for the rest.

    `good`, `fair` and `poor` are shares of its user-minutes, None where there are none.
    """

    value: str | None
    users: int
    user_minutes: int
    good: float | None
    fair: float | None
    poor: float | None
    score: Scores | None
    top_terms: list[TopTerm]
    against: Against | None


class Insights(Struct, frozen=True):
    """Groups by their user-minutes, the largest first; `rest` are values that are not among them."""

    by: str
    groups: list[Group]
    rest: Group


class TrendPoint(Struct, frozen=True):
    """The whole server: means over a step. `reports` is reports per second."""

    timestamp: float
    rooms: float
    users: float
    good: float
    fair: float
    poor: float
    unknown: float
    reports: float
