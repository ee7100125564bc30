"""Named troubles: which users they affect, their effect on streams, and when they begin and end.

TROUBLES affect rooms intermittently. FAULTS affect all users who have something in common, in any room, all the time.
"""

from collections.abc import Mapping
from random import Random
from typing import Literal, Self

from msgspec import Struct
from msgspec.structs import replace


class Impairment(Struct, frozen=True):
    """Added to a link (`rtt` and `jitter` ms, `packet_loss` percent), and factors for the video.

    `smaller` is the divisor of the video's width and height.
    """

    rtt: float = 0.0
    jitter: float = 0.0
    packet_loss: float = 0.0
    frame_rate: float = 1.0
    bitrate: float = 1.0
    smaller: int = 1

    def at(self, strength: float, burst: float) -> Self:
        """Scale it to a strength from 0 to 1; `burst` is a factor for the link at this moment."""
        return replace(
            self,
            rtt=self.rtt * strength * burst,
            jitter=self.jitter * strength * burst,
            packet_loss=self.packet_loss * strength * burst,
            frame_rate=1 - strength * (1 - self.frame_rate),
            bitrate=1 - strength * (1 - self.bitrate),
            smaller=self.smaller if strength >= 0.5 else 1,
        )

    def and_also(self, other: "Impairment") -> Self:
        """Both of them at once."""
        return replace(
            self,
            rtt=self.rtt + other.rtt,
            jitter=self.jitter + other.jitter,
            packet_loss=self.packet_loss + other.packet_loss,
            frame_rate=self.frame_rate * other.frame_rate,
            bitrate=self.bitrate * other.bitrate,
            smaller=self.smaller * other.smaller,
        )


NOTHING = Impairment()


class Trouble(Struct, frozen=True):
    """Affects one user or all: the streams that they send, and those that they receive.

    Pairs are minimum and maximum: an episode `lasts` so many seconds, is as strong as `peak`, and `burst` varies its
    effect on the link from one report to the next.
    """

    affects: Literal["one", "all"]
    sending: Impairment = NOTHING
    receiving: Impairment = NOTHING
    lasts: tuple[float, float] = (40.0, 110.0)
    peak: tuple[float, float] = (0.6, 1.0)
    burst: tuple[float, float] = (0.8, 1.2)


TROUBLES: Mapping[str, Trouble] = {
    "wifi-uplink": Trouble("one", sending=Impairment(rtt=60, jitter=40, packet_loss=8, bitrate=0.6), burst=(0.4, 1.5)),
    "congested-room": Trouble(
        "all",
        sending=Impairment(rtt=170, jitter=25, packet_loss=3, bitrate=0.35, smaller=2),
        receiving=Impairment(rtt=170, jitter=25, packet_loss=3),
    ),
    "cpu-bound": Trouble("one", sending=Impairment(frame_rate=0.25, bitrate=0.3, smaller=2), peak=(0.85, 1.0)),
    "freeze": Trouble("one", receiving=Impairment(frame_rate=0.0, bitrate=0.0), lasts=(10.0, 25.0), peak=(1.0, 1.0)),
    "server-side": Trouble("all", receiving=Impairment(rtt=70, jitter=40, packet_loss=6)),
}


class Fault(Struct, frozen=True):
    """The received streams of users with this SDK version, region or browser: one user in AFFECTED has it."""

    of: Literal["sdk_version", "region", "browser"]
    value: str
    receiving: Impairment


FAULTS: Mapping[str, Fault] = {
    "bad-sdk-version": Fault("sdk_version", "3.1.0-rc.1", Impairment(frame_rate=0.15)),
    "bad-region": Fault("region", "sa-east", Impairment(rtt=450, jitter=20)),
    "bad-browser": Fault("browser", "Edge 143", Impairment(packet_loss=9)),
}

AFFECTED = 4

FIRST_AFTER = (4.0, 12.0)
RESTS = (20.0, 150.0)
COMES_WITHIN = 4.0
"""Seconds until the first episode, between two episodes, and for one to begin and to end."""


class Episodes:
    """The episodes of a trouble over time. To be called in the order of time; `count` is how many are over."""

    def __init__(self, trouble: Trouble, random: Random) -> None:
        self.trouble = trouble
        self.count = 0
        self._random = random
        self._begin(random.uniform(*FIRST_AFTER))

    def strength(self, now: float) -> float:
        """The strength at this time, from 0 to 1."""
        while now >= self._ends:
            self.count += 1
            self._begin(self._ends + self._random.uniform(*RESTS))
        return self._peak * max(0.0, min(1.0, (now - self._begins) / COMES_WITHIN, (self._ends - now) / COMES_WITHIN))

    def _begin(self, at: float) -> None:
        self._begins = at
        self._ends = at + self._random.uniform(*self.trouble.lasts)
        self._peak = self._random.uniform(*self.trouble.peak)
