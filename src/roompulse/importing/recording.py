"""A recorded call in one shape, whoever wrote it: what getStats() said of each connection, thinned out.

Names of types and members are those of https://www.w3.org/TR/webrtc-stats/.
"""

import re
from collections.abc import Mapping
from math import floor

import msgspec
from msgspec import Struct, field

INTERVAL = 5.0
"""Seconds for which one point of each stats object is kept: the last one."""

MEMBERS = frozenset(
    """bytesReceived bytesSent channels clockRate codecId contentType currentRoundTripTime frameHeight framesDecoded
    framesEncoded frameWidth jitter kind localId mediaSourceId mid nominated packetsLost packetsReceived packetsSent
    roundTripTime selected selectedCandidatePairId transportId""".split()  # noqa: SIM905  (24 lines)
)
"""What an import looks at; a dump has ten times as much."""

Value = str | int | float | bool


class Unusable(Exception):  # noqa: N818  (said of the file)
    """A file cannot be imported; the message is one line for the operator."""


class Point(Struct, frozen=True):
    """A stats object at a time (Unix seconds)."""

    at: float
    values: dict[str, Value]


class Stats(Struct):
    """One stats object over time. `points` are by their number of INTERVALs since 1970, one for each."""

    kind: str
    points: dict[int, Point] = field(default_factory=dict)

    def add(self, at: float, values: dict[str, Value]) -> None:
        self.points[floor(at / INTERVAL)] = Point(at, values)

    def last(self, member: str) -> Value | None:
        """The newest value there is."""
        return next((one.values[member] for one in reversed(self.points.values()) if member in one.values), None)


class Connection(Struct):
    """One RTCPeerConnection.

    `senders` has the ids of the remote streams by their `mid`, as each remote description gave them: (time, ids).
    """

    stats: dict[str, Stats] = field(default_factory=dict)
    senders: list[tuple[float, Mapping[str, str]]] = field(default_factory=list)

    def of_kind(self, kind: str) -> dict[str, Stats]:
        return {stats_id: stats for stats_id, stats in self.stats.items() if stats.kind == kind}


class Recording(Struct, frozen=True):
    """What one browser recorded; `source` is what stands for an SDK."""

    source: str
    connections: dict[str, Connection]


def senders_of(description: object) -> dict[str, str]:
    """Ids of media streams by `mid`, from an RTCSessionDescription: an object, its JSON, or `type: …, sdp: …`."""
    if isinstance(description, str) and description.startswith("{"):
        try:
            description = msgspec.json.decode(description)
        except msgspec.DecodeError:
            return {}
    text = description.get("sdp") if isinstance(description, dict) else description
    senders = {}
    for section in re.split(r"[\r\n]+m=", text)[1:] if isinstance(text, str) else ():
        mid, stream = re.search(r"^a=mid:(\S+)", section, re.M), re.search(r"^a=msid:(\S+)", section, re.M)
        if mid and stream and stream[1] != "-":  # the sign of a track that is in no stream
            senders[mid[1]] = stream[1]
    return senders
