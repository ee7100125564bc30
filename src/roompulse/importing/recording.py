"""A recorded call in one shape for all formats: the results of getStats() for each connection, thinned out.

Names of types and members are those of https://www.w3.org/TR/webrtc-stats/.
"""

import re
from collections.abc import Mapping
from math import floor

from msgspec import Struct, field

INTERVAL = 5.0
"""Seconds for which one point of each stats object is kept: the last one."""

MEMBERS = frozenset(
    """bytesReceived bytesSent channels clockRate codecId concealedSamples contentType currentRoundTripTime frameHeight
    framesDecoded framesDropped framesEncoded framesPerSecond framesReceived frames frameWidth freezeCount jitter kind
    localId mediaSourceId mediaType mid mimeType nominated packetsLost packetsReceived packetsSent
    qpSum roundTripTime scalabilityMode selected selectedCandidatePairId silentConcealedSamples ssrc
    totalFreezesDuration totalSamplesReceived trackId trackIdentifier transportId""".split()  # noqa: SIM905  (40 lines)
)
"""The members that an import reads; a dump has five times as many."""

Value = str | int | float | bool


class Unusable(Exception):  # noqa: N818  (said of the file)
    """A file cannot be imported; the message is one line for the operator."""


class Point(Struct, frozen=True):
    """A stats object at a time (Unix seconds).

    `era` counts how often the clock was set before: distances of times in different eras are unknown.
    """

    at: float
    values: dict[str, Value]
    era: int = 0


class Stats(Struct):
    """One stats object over time. `points` are by their number of INTERVALs since 1970, one for each."""

    kind: str
    points: dict[int, Point] = field(default_factory=dict)

    def add(self, at: float, values: dict[str, Value], era: int = 0) -> None:
        self.points[floor(at / INTERVAL)] = Point(at, values, era)

    def move(self, seconds: float) -> None:
        points, self.points = self.points, {}
        for point in points.values():
            self.add(point.at + seconds, point.values, point.era)

    def last(self, member: str) -> Value | None:
        """The newest known value."""
        return next((one.values[member] for one in reversed(self.points.values()) if member in one.values), None)


class Connection(Struct):
    """One RTCPeerConnection, with the streams in its descriptions (importing/sdp.py).

    `senders` has the ids of remote media streams by key, as each remote description or track gave them: (time, ids).
    `sources` groups the sent SSRCs that belong together. `ice` has each `iceConnectionState` and RESTARTED, after
    the time at which it began (Unix seconds).
    """

    stats: dict[str, Stats] = field(default_factory=dict)
    senders: list[tuple[float, Mapping[str, str]]] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    ice: list[tuple[float, str]] = field(default_factory=list)

    def of_kind(self, kind: str) -> dict[str, Stats]:
        return {stats_id: stats for stats_id, stats in self.stats.items() if stats.kind == kind}


class Recording(Struct, frozen=True):
    """The recording of one browser; `source` is used as the SDK version."""

    source: str
    connections: dict[str, Connection]


RESTARTED = "restarted"

LEGACY = "legacy"
"""The kind of Chromium's own statistics from before the standard: `googTrack`, `ssrc` and others."""

_KINDS = {
    r"RTCInboundRTP|IT\d+[AV]\d": "inbound-rtp",
    r"RTCOutboundRTP|OT\d+[AV]\d": "outbound-rtp",
    r"RTCRemoteInboundR|RI[AV]\d": "remote-inbound-rtp",
    r"RTCCodec_|C[IO]T\d": "codec",
    r"RTCIceCandidatePair_|CP": "candidate-pair",
    r"RTCTransport_|T\d": "transport",
    r"RTC(Audio|Video)Source_|S[AV]\d": "media-source",
    r"RTCMediaStreamTrack_": "track",
    r"goog|ssrc_|Conn-|Channel-|bweforvideo|Cand-": LEGACY,
}


def kind_of(stats_id: str, given: object = None) -> str:
    """The type of a stats object, by its id where the dump does not say (Chromium before 2021)."""
    if isinstance(given, str) and given:
        return LEGACY if given.startswith("goog") or given in {"ssrc", "VideoBwe"} else given
    return next((kind for pattern, kind in _KINDS.items() if re.match(pattern, stats_id)), "")


def media_of(stats_id: str, stats: Stats) -> str | None:
    """Audio or video, by the id where no member says it."""
    found = stats.last("kind") or stats.last("mediaType")
    if found is None and (named := re.match(r"RTC\w*?(Audio|Video)|[IO]T\d+([AV])\d", stats_id)):
        return "audio" if "A" in (named[1] or named[2]) else "video"
    return str(found) if found is not None else None
