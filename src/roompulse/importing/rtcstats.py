"""Dumps of rtcstats: lines of JSON, each `[method, connection, value, …, time]`.

Formats 1 and 2 have absolute times (ms) and, in front, an object about the browser; `getstats` gives what changed.
Format 3 begins with `RTCStatsDump`, has times since the line before, short names, and null for objects that are gone;
Chromium writes it too, with long names and all of each object.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from roompulse.importing.recording import MEMBERS, Connection, Recording, Stats, Unusable, Value, senders_of
from roompulse.report.model import MAX_TIME, MILLISECONDS_FROM

SOURCE = "rtcstats"
MAGIC = b"RTCStatsDump"

_STATS = frozenset({"getStats", "getstats", "g", 1})
_REMOTE_DESCRIPTION = frozenset({"setRemoteDescription", 8})

_SHORTEST = 4
"""Parts of an event."""

_TYPES: dict[Value, str] = {
    1: "inbound-rtp",
    2: "outbound-rtp",
    3: "remote-inbound-rtp",
    5: "transport",
    6: "candidate-pair",
    14: "codec",
}
_NAMES = {
    "t": "timestamp",
    "5": "transportId",
    "7": "clockRate",
    "8": "channels",
    "11": "kind",
    "12": "codecId",
    "14": "packetsReceived",
    "15": "packetsLost",
    "16": "jitter",
    "18": "mid",
    "20": "framesDecoded",
    "23": "frameWidth",
    "24": "frameHeight",
    "41": "bytesReceived",
    "66": "contentType",
    "74": "localId",
    "75": "roundTripTime",
    "79": "packetsSent",
    "80": "bytesSent",
    "81": "mediaSourceId",
    "91": "framesEncoded",
    "125": "selectedCandidatePairId",
    "150": "nominated",
    "152": "currentRoundTripTime",
}
"""The short names of those types and members that an import looks at."""


def read_rtcstats(lines: Iterable[bytes]) -> Recording:
    """Raises Unusable: they are no such dump."""
    dump = _Dump()
    for number, line in enumerate(lines, start=1):
        if (text := line.strip()) and text != MAGIC:
            try:
                dump.take(msgspec.json.decode(text))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise Unusable(f"line {number} is no JSON, or not all of it: {error}") from None
    if not dump.events:
        raise Unusable("JSON, but no dump of rtcstats or chrome://webrtc-internals")
    return Recording(SOURCE, dump.connections)


class _Dump:
    def __init__(self) -> None:
        self.connections: dict[str, Connection] = {}
        self.events = 0
        self._known: dict[str, dict[str, dict[str, Any]]] = {}
        self._now = 0.0

    def take(self, event: Any) -> None:
        if not isinstance(event, list) or len(event) < _SHORTEST or not isinstance(event[-1], int | float):
            return
        method, connection_id, value, *_, time = event
        self.events += 1
        self._now = time if time >= MILLISECONDS_FROM else self._now + time
        if not 0 <= self._now <= MAX_TIME:
            raise Unusable(f"a time makes no sense: {self._now:g} ms since 1970")
        if not isinstance(connection_id, str) or not isinstance(method, str | int):
            return
        if method in _STATS and isinstance(value, dict):
            self._take_stats(connection_id, value)
        elif method in _REMOTE_DESCRIPTION:
            self._connection(connection_id).senders.append((self._now / 1000, senders_of(value)))

    def _connection(self, connection_id: str) -> Connection:
        return self.connections.setdefault(connection_id, Connection())

    def _take_stats(self, connection_id: str, delta: dict[str, Any]) -> None:
        known = self._known.setdefault(connection_id, {})
        at = _time(delta.get("t", delta.get("timestamp"))) or self._now
        # What format 3 does not mention is as it was; in the others it may as well be gone.
        times = dict.fromkeys(known, at) if "t" in delta else {}
        for stats_id, changed in delta.items():
            if isinstance(changed, dict):
                values = _long(changed)
                known.setdefault(stats_id, {}).update(values)
                times[stats_id] = _time(values.get("timestamp")) or at
            elif changed is None:
                known.pop(stats_id, None)
                times.pop(stats_id, None)
        stats = self._connection(connection_id).stats
        for stats_id, time in times.items():
            values = known[stats_id]
            kind = str(values.get("type", ""))
            stats.setdefault(stats_id, Stats(kind)).add(
                time / 1000, {name: value for name, value in values.items() if name in MEMBERS}
            )


def _long(changed: dict[str, Any]) -> dict[str, Value]:
    """What changed of an object, by names in full; an import looks at none of its lists and objects."""
    values = {_NAMES.get(name, name): value for name, value in changed.items() if isinstance(value, Value)}
    if "type" in values:
        values["type"] = _TYPES.get(values["type"], values["type"])
    return values


def _time(value: object) -> float | None:
    """A time in milliseconds if it is one: 0 stands for that of the others, and some are in words."""
    return value if isinstance(value, int | float) and MILLISECONDS_FROM <= value <= MAX_TIME else None
