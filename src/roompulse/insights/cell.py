"""The stored counts of the users of one value, for a minute or for many: all of them can be added up."""

import zlib
from collections.abc import Iterable, Mapping
from math import ceil
from operator import add
from typing import get_args

import msgspec
from msgspec import Struct, field

from roompulse.insights.users import UserCount
from roompulse.quality import BEST, WORST, Level, TermName, level_of

MOST_VALUES = 100
"""Values of a dimension that are kept; users with any other are together in REST."""

REST = ""
"""Stands for all other values: no value is empty."""

CLUSTERS = 64
"""Users are put into so many clusters by their hash, the same in every minute; the variance between clusters shows how
much is chance (significance.py)."""

_BINS_PER_POINT = 20
_BINS = round((BEST - WORST) * _BINS_PER_POINT) + 1
TERMS: tuple[TermName, ...] = get_args(TermName)
RATED: tuple[Level, ...] = ("good", "fair", "poor")

Look = tuple[float, TermName | None]
"""The score of a user at one moment, and the term that cost the most of it."""


class Cell(Struct, array_like=True):
    """Counts of samples: by level, by score, by costliest term of those that are not good, and by cluster of users."""

    levels: list[int] = field(default_factory=lambda: [0] * len(RATED))
    scores: list[int] = field(default_factory=lambda: [0] * _BINS)
    terms: list[int] = field(default_factory=lambda: [0] * len(TERMS))
    looks: list[int] = field(default_factory=lambda: [0] * CLUSTERS)
    poor: list[int] = field(default_factory=lambda: [0] * CLUSTERS)
    users: UserCount = field(default_factory=UserCount)

    def add(self, user: int, look: Look) -> None:
        """Add a user, by its hash, as it was at one moment."""
        score, term = look
        level, cluster = level_of(score), user >> 26
        self.levels[RATED.index(level)] += 1
        self.scores[_bin_of(score)] += 1
        self.looks[cluster] += 1
        if level == "poor":
            self.poor[cluster] += 1
        if level != "good" and term:
            self.terms[TERMS.index(term)] += 1
        self.users.add(user)

    def merge(self, other: "Cell") -> None:
        self.levels = list(map(add, self.levels, other.levels))
        self.scores = list(map(add, self.scores, other.scores))
        self.terms = list(map(add, self.terms, other.terms))
        self.looks = list(map(add, self.looks, other.looks))
        self.poor = list(map(add, self.poor, other.poor))
        self.users.merge(other.users)

    @property
    def count(self) -> int:
        """Samples of users whose level was known."""
        return sum(self.levels)

    def score_at(self, percent: float) -> float:
        """A percentile by nearest rank, as the middle of its bin; for a non-empty cell."""
        wanted = max(1, ceil(percent / 100 * self.count))
        place = 0
        for place, count in enumerate(self.scores):  # noqa: B007  (the bin that is reached)
            wanted -= count
            if wanted <= 0:
                break
        return min(BEST, round(WORST + (place + 0.5) / _BINS_PER_POINT, 2))


Cells = dict[str, Cell]
"""By value; REST holds the others."""


def _bin_of(score: float) -> int:
    return int((score - WORST) * _BINS_PER_POINT + 1e-6)


def merged(many: Iterable[Mapping[str, Cell]]) -> Cells:
    """All of them merged; cells may be shared with the first ones that have them."""
    cells: Cells = {}
    for one in many:
        add_to(cells, one)
    return cells


def add_to(cells: Cells, more: Mapping[str, Cell]) -> None:
    for value, cell in more.items():
        known = cells.get(value)
        if known is None:
            cells[value] = cell
        else:
            known.merge(cell)


def cut(cells: Cells, most: int = MOST_VALUES) -> Cells:
    """The values with the most samples, and the others in REST."""
    named = sorted((value for value in cells if value != REST), key=lambda value: (-cells[value].count, value))
    kept = {value: cells[value] for value in named[:most]}
    rest = [cells[value] for value in named[most:]]
    if REST in cells:
        rest.append(cells[REST])
    if rest:
        kept[REST] = Cell()
        for cell in rest:
            kept[REST].merge(cell)
    return kept


_encoder, _decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Cells)


def pack(cells: Cells) -> bytes:
    return zlib.compress(_encoder.encode(cells), 1)


def unpack(packed: bytes) -> Cells:
    return _decoder.decode(zlib.decompress(packed))
