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
    """What one impairment costs (score points), and the figure that it was computed from."""

    term: TermName
    cost: float
    value: float
    unit: str


class StreamQuality(Struct, frozen=True, gc=False):
    """`score` is None and `level` "unknown" where nothing is known; `terms` are those that cost something."""

    score: float | None
    level: Level
    terms: list[Term]


UNRATED = StreamQuality(None, "unknown", [])


class UserQuality(Struct, frozen=True, gc=False):
    """`uplink` is the worst score of what the user sends, `downlink` of what it receives.

    `score` is the worse of the two, and None for a user that receives nothing. `reasons` begin with the costliest.
    """

    score: float | None
    level: Level
    uplink: float | None
    downlink: float | None
    reasons: list[str]


class RoomQuality(Struct, frozen=True, gc=False):
    """`worst` is the lowest score of a user; `good` to `unknown` count users by level."""

    score: float | None
    level: Level
    worst: float | None
    good: int
    fair: int
    poor: int
    unknown: int
    verdict: Verdict


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
    return min((score for score in scores if score is not None), default=None)


def nearest_rank(ordered: Sequence[float], percent: float) -> float:
    """Percentile by nearest rank of a non-empty ascending sequence."""
    return ordered[max(1, ceil(percent / 100 * len(ordered))) - 1]
