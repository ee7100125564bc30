"""The scale of scores and its levels, and the shapes that ratings have."""

from collections.abc import Iterable, Sequence
from math import ceil
from typing import Literal

from msgspec import Struct

Level = Literal["good", "fair", "poor", "unknown"]
TermName = Literal["delay", "loss", "frame_rate", "picture", "freeze", "concealment"]
Verdict = Literal["unknown", "healthy", "isolated", "widespread"]

WORST, BEST = 1.0, 4.5
BASE_R = 94.768
"""Transmission rating of a flawless call (the simplified E-model behind Twilio's published score)."""

GOOD_FROM, FAIR_FROM = 4.0, 3.1
IMPAIRED: frozenset[Level] = frozenset({"fair", "poor"})


class Term(Struct, frozen=True, gc=False):
    """What one impairment costs."""

    term: TermName
    """What impairs the stream."""
    cost: float
    """Points of the score, 0 to 3.5."""
    value: float
    """The figure that it was computed from, in `unit`."""
    unit: str
    """Of `value`, such as `ms` or `%`."""


class StreamQuality(Struct, frozen=True, gc=False):
    """How a stream rates."""

    score: float | None
    """1.0 to 4.5; None where nothing is known."""
    level: Level
    """Of that score."""
    terms: list[Term]
    """The terms that cost something."""


UNRATED = StreamQuality(None, "unknown", [])


class UserQuality(Struct, frozen=True, gc=False):
    """How a user rates."""

    score: float | None
    """The worse of uplink and downlink, 1.0 to 4.5; None where nothing is known, or nothing is received."""
    level: Level
    """Of that score."""
    uplink: float | None
    """Lowest score of what the user sends, 1.0 to 4.5."""
    downlink: float | None
    """Lowest score of what it receives, 1.0 to 4.5."""
    reasons: list[str]
    """In words, the costliest first."""


class RoomQuality(Struct, frozen=True, gc=False):
    """How a room rates."""

    score: float | None
    """10th percentile of the scores of its users, 1.0 to 4.5; None without any."""
    level: Level
    """Of that score."""
    worst: float | None
    """Lowest score of a user, 1.0 to 4.5."""
    good: int
    """Users whose level is good."""
    fair: int
    """Users whose level is fair."""
    poor: int
    """Users whose level is poor."""
    unknown: int
    """Users without a score."""
    verdict: Verdict
    """`widespread`: at least half of at least 3 users with a score are fair or poor."""


def mos(r: float) -> float:
    """Mean opinion score of a transmission rating R (ITU-T G.107, annex B), 1 for R of 0 and below."""
    if r <= 0:
        return 1.0
    return 1 + 0.035 * r + 7e-6 * r * (r - 60) * (100 - r)


BASE = mos(BASE_R)


def level_of(score: float | None) -> Level:
    if score is None:
        return "unknown"
    return "good" if score >= GOOD_FROM else "fair" if score >= FAIR_FROM else "poor"


def worst(scores: Iterable[float | None]) -> float | None:
    return min([score for score in scores if score is not None], default=None)


def nearest_rank(ordered: Sequence[float], percent: float) -> float:
    """Percentile by nearest rank of a non-empty ascending sequence."""
    return ordered[max(1, ceil(percent / 100 * len(ordered))) - 1]
