"""The figures of a room's streams, updated incrementally: totals cost little, however many streams there are.

They equal the result of `aggregate_of`, which scans all streams.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from math import fsum

from sortedcontainers import SortedList

from roompulse.report.model import Stream
from roompulse.rooms.aggregate import Columns, Spread, Sums, columns_of


class Sum:
    """The sum of numbers that are added and removed, without drift: equal to `math.fsum` of the remaining ones."""

    __slots__ = ("_fractions", "_parts")

    def __init__(self) -> None:
        # Their sum is exact; each is the float nearest to the remainder of those before it.
        self._parts: list[float] = []
        self._fractions = 0

    def change(self, come: Sequence[float], gone: Sequence[float]) -> None:
        numbers = [*self._parts, *come, *(-number for number in gone)]
        parts: list[float] = []
        while rest := fsum(chain(numbers, (-part for part in parts))):
            parts.append(rest)
        self._parts = parts
        self._fractions += _fractions(come) - _fractions(gone)

    def total(self) -> float:
        """A whole number where all are, as they were sent."""
        total = fsum(self._parts)
        return total if self._fractions else int(total)


def _fractions(numbers: Iterable[float]) -> int:
    return sum(isinstance(number, float) for number in numbers)


class Ranked:
    """The values of one figure, in their order, and their sum."""

    __slots__ = ("_ordered", "_sum")

    def __init__(self) -> None:
        self._ordered: SortedList[float] = SortedList()
        self._sum = Sum()

    def change(self, come: Sequence[float], gone: Sequence[float]) -> None:
        for value in gone:
            self._ordered.remove(value)
        self._ordered.update(come)
        self._sum.change(come, gone)

    def spread(self) -> Spread:
        return Spread(self._ordered, self._sum.total())


class RunningTotals:
    """The samples that are counted, by figure."""

    __slots__ = ("_audios", "_frame_rate", "_jitter", "_packet_loss", "_rtt", "_streams", "_sums", "_videos")

    def __init__(self) -> None:
        self._streams = self._videos = self._audios = 0
        self._rtt, self._packet_loss, self._jitter, self._frame_rate = Ranked(), Ranked(), Ranked(), Ranked()
        self._sums = Sum(), Sum(), Sum(), Sum()

    def change(self, come: Sequence[Stream], gone: Sequence[Stream]) -> None:
        """Count added samples, and stop counting removed ones."""
        new, old = columns_of(come), columns_of(gone)
        self._streams += new.streams - old.streams
        self._videos += new.videos - old.videos
        self._audios += new.audios - old.audios
        self._rtt.change(new.rtt, old.rtt)
        self._packet_loss.change(new.packet_loss, old.packet_loss)
        self._jitter.change(new.jitter, old.jitter)
        self._frame_rate.change(new.frame_rate, old.frame_rate)
        for total, added, taken in zip(self._sums, _bitrates(new), _bitrates(old), strict=True):
            total.change(added, taken)

    def sums(self) -> Sums:
        return Sums(
            self._streams,
            self._videos,
            self._audios,
            self._rtt.spread(),
            self._packet_loss.spread(),
            self._jitter.spread(),
            self._frame_rate.spread(),
            *(total.total() for total in self._sums),
        )


def _bitrates(columns: Columns) -> Sequence[Sequence[float]]:
    return columns.video_sent, columns.video_received, columns.audio_sent, columns.audio_received
