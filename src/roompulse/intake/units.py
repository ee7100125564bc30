"""Figures that look as if they were sent in the wrong unit."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from roompulse.report.model import Stream

MIN_FIGURES = 20
"""Figures of a kind that are needed for a verdict; zeros do not count."""

VARIETY = 3
"""Different values that are needed among them: one constant stream proves nothing."""


class Kind(Struct, frozen=True):
    """A kind of figure, and when its unit looks wrong.

    `too_small`: none reaches `high`, and at least half are below `low`. Otherwise: at least half reach `high`.
    """

    low: float
    high: float
    too_small: bool
    question: str


# One lost packet is 0.1 to 0.4 percent of the packets of audio or video in a few seconds, so percentages are seldom
# below 0.1, and fractions hardly ever above it. Jitter in seconds is a few thousandths.
LOSS = Kind(
    low=0.1,
    high=1,
    too_small=True,
    question="Packet loss is always below 1, and mostly below 0.1: is it sent as a fraction? It must be in percent.",
)
JITTER = Kind(
    low=0.1,
    high=1,
    too_small=True,
    question="Jitter is always below 1, and mostly below 0.1: is it sent in seconds? It must be in milliseconds.",
)
RTT = Kind(
    low=1,
    high=1,
    too_small=True,
    question="RTT is always below 1: is it sent in seconds? It must be in milliseconds.",
)
VIDEO = Kind(
    low=0,
    high=100_000,
    too_small=False,
    question="Video bitrates are mostly above 100000: are they sent in bit/s? They must be in kbit/s.",
)
AUDIO = Kind(
    low=0,
    high=2_000,
    too_small=False,
    question="Audio bitrates are mostly above 2000: are they sent in bit/s? They must be in kbit/s.",
)
KINDS = (LOSS, JITTER, RTT, VIDEO, AUDIO)


class UnitCount:
    """Counts of the figures of one kind."""

    __slots__ = ("count", "high", "low", "values")

    def __init__(self) -> None:
        self.count = self.low = self.high = 0
        self.values: set[float] = set()

    def note(self, value: float | None, kind: Kind) -> None:
        if not value:
            return
        self.count += 1
        if value >= kind.high:
            self.high += 1
        elif value < kind.low:
            self.low += 1
        if len(self.values) < VARIETY:
            self.values.add(value)

    def add(self, other: "UnitCount") -> None:
        self.count += other.count
        self.low += other.low
        self.high += other.high
        self.values |= other.values

    def is_odd(self, kind: Kind) -> bool:
        if self.count < MIN_FIGURES or len(self.values) < VARIETY:
            return False
        if kind.too_small:
            return self.high == 0 and 2 * self.low >= self.count
        return 2 * self.high >= self.count


class Units:
    """Counts of each kind of figure."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts = [UnitCount() for _ in KINDS]

    def add_streams(self, streams: Iterable[Stream]) -> None:
        loss, jitter, rtt, video, audio = self._counts
        for stream in streams:
            if network := stream.network:
                loss.note(network.packet_loss, LOSS)
                jitter.note(network.jitter, JITTER)
                rtt.note(network.rtt, RTT)
            if stream.video:
                video.note(stream.video.bitrate, VIDEO)
            if stream.audio:
                audio.note(stream.audio.bitrate, AUDIO)

    def add(self, other: "Units") -> None:
        for mine, theirs in zip(self._counts, other._counts, strict=True):  # noqa: SLF001  (of the same class)
            mine.add(theirs)

    def questions(self) -> Sequence[str]:
        """A sentence for each kind that looks wrong, which says what to check."""
        return [kind.question for count, kind in zip(self._counts, KINDS, strict=True) if count.is_odd(kind)]
