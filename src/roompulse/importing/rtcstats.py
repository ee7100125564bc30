"""Dumps of rtcstats: lines of JSON, each `[method, connection, value, …, time]`; Jitsi adds a sequence number.

Formats 1 and 2 have absolute times (ms) and, in front, an object about the browser; `getstats` has the changes.
Format 3 begins with `RTCStatsDump`, has times since the line before, short names, and null for objects that are gone;
Chromium writes it too, with long names and all of each object.
"""

from collections.abc import Iterable
from math import ceil
from typing import Any

import msgspec
from msgspec import Struct

from roompulse.importing.recording import (
    INTERVAL,
    MEMBERS,
    RESTARTED,
    Connection,
    Recording,
    Stats,
    Unusable,
    Value,
    kind_of,
)
from roompulse.importing.sdp import sender_of_track, senders_of, sources_of
from roompulse.report.model import MAX_TIME, MILLISECONDS_FROM

SOURCE = "rtcstats"
MAGIC = b"RTCStatsDump"

_STATS = frozenset({"getStats", "getstats", "g", 1})
_REMOTE_DESCRIPTION = frozenset({"setRemoteDescription", 8})
_LOCAL_DESCRIPTION = frozenset({"setLocalDescription", "createOfferOnSuccess", "createAnswerOnSuccess", 6, 3, 5})
_REMOTE_TRACK = frozenset({"ontrack", 22})
_ICE_STATE = frozenset({"oniceconnectionstatechange", 24})
_ICE_RESTART = frozenset({"restartIce", 37})

_SHORTEST = 4
"""Parts of an event."""

_TYPES: dict[Value, str] = {
    1: "inbound-rtp",
    2: "outbound-rtp",
    3: "remote-inbound-rtp",
    5: "transport",
    6: "candidate-pair",
    12: "media-source",
    14: "codec",
}
_NAMES = {
    "t": "timestamp",
    "5": "transportId",
    "6": "mimeType",
    "7": "clockRate",
    "8": "channels",
    "10": "ssrc",
    "11": "kind",
    "12": "codecId",
    "14": "packetsReceived",
    "15": "packetsLost",
    "16": "jitter",
    "17": "trackIdentifier",
    "18": "mid",
    "20": "framesDecoded",
    "22": "framesDropped",
    "23": "frameWidth",
    "24": "frameHeight",
    "25": "framesPerSecond",
    "26": "qpSum",
    "32": "freezeCount",
    "33": "totalFreezesDuration",
    "41": "bytesReceived",
    "51": "totalSamplesReceived",
    "52": "concealedSamples",
    "53": "silentConcealedSamples",
    "60": "framesReceived",
    "66": "contentType",
    "74": "localId",
    "75": "roundTripTime",
    "79": "packetsSent",
    "80": "bytesSent",
    "81": "mediaSourceId",
    "91": "framesEncoded",
    "101": "scalabilityMode",
    "108": "frames",
    "125": "selectedCandidatePairId",
    "150": "nominated",
    "152": "currentRoundTripTime",
}
"""The short names of those types and members that an import reads."""


def read_rtcstats(lines: Iterable[bytes]) -> Recording:
    """Raises Unusable: they are not such a dump."""
    dump = _Dump()
    for number, line in enumerate(lines, start=1):
        if (text := line.strip()) and text != MAGIC:
            try:
                dump.take(msgspec.json.decode(text))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise Unusable(f"line {number} is no JSON, or not all of it: {error}") from None
    if not dump.events:
        raise Unusable("JSON, but no dump of rtcstats or chrome://webrtc-internals")
    dump.end()
    return Recording(SOURCE, dump.connections)


class _Clock(Struct):
    """By how much the clock of a connection's getStats() is behind that of the log (ms).

    On a machine that slept the two may be hours apart: the log's time counts. Where either was set, `era` goes up.
    """

    lag: float = 0.0
    era: int = 0
    shown: float = 0.0

    def read(self, shown: float, logged: float) -> None:
        if shown < self.shown - _JITTER or abs(logged - shown - self.lag) > 1000 * INTERVAL:
            self.lag = logged - shown
            self.era += 1
        self.shown = shown


_JITTER = 500
"""Milliseconds by which a later entry may be earlier in time."""


class _Dump:
    def __init__(self) -> None:
        self.connections: dict[str, Connection] = {}
        self.events = 0
        self._known: dict[str, dict[str, dict[str, Any]]] = {}
        self._clocks: dict[str, _Clock] = {}
        self._time = 0.0
        """The time of the previous event in the log (ms)."""
        self._shift = 0.0
        self._now = 0.0

    def take(self, event: Any) -> None:
        if not isinstance(event, list) or len(event) < _SHORTEST or not isinstance(event[-1], int | float):
            return
        method, connection_id, value, *_ = event
        self.events += 1
        time = _time_of(event)
        self._time = time if time >= MILLISECONDS_FROM else self._time + time
        if not 0 <= self._time <= MAX_TIME:
            raise Unusable(f"a time makes no sense: {self._time:g} ms since 1970")
        if not isinstance(connection_id, str) or not isinstance(method, str | int):
            return
        if method in _STATS and isinstance(value, dict):
            self._take_stats(connection_id, value)
        elif method in _ICE_RESTART:
            self._connection(connection_id).ice.append((self._go_on() / 1000, RESTARTED))
        elif method in _ICE_STATE and isinstance(value, str):
            self._connection(connection_id).ice.append((self._go_on() / 1000, value))
        else:
            self._take_signaling(method, connection_id, value)

    def _take_signaling(self, method: str | int, connection_id: str, value: Any) -> None:
        if method in _REMOTE_DESCRIPTION:
            self._connection(connection_id).senders.append((self._go_on() / 1000, senders_of(value)))
        elif method in _REMOTE_TRACK:
            self._connection(connection_id).senders.append((self._go_on() / 1000, sender_of_track(value)))
        elif method in _LOCAL_DESCRIPTION:
            self._connection(connection_id).sources |= sources_of(value)

    def _go_on(self) -> float:
        """To the time of this event, which is later than all previous ones even where the clock was set."""
        now = self._time + self._shift
        if now < self._now - _JITTER:
            whole = 1000 * INTERVAL * (1 + ceil((self._now - now) / 1000 / INTERVAL))
            self._shift += whole
            now += whole
        self._now = max(now, self._now)
        return self._now

    def end(self) -> None:
        """Where the clock of the log was set, its newest time counts."""
        for connection in self.connections.values() if self._shift else ():
            for stats in connection.stats.values():
                stats.move(-self._shift / 1000)
            connection.senders = [(at - self._shift / 1000, senders) for at, senders in connection.senders]
            connection.ice = [(at - self._shift / 1000, state) for at, state in connection.ice]

    def _connection(self, connection_id: str) -> Connection:
        return self.connections.setdefault(connection_id, Connection())

    def _take_stats(self, connection_id: str, delta: dict[str, Any]) -> None:
        now = self._go_on()
        known = self._known.setdefault(connection_id, {})
        clock = self._clocks.setdefault(connection_id, _Clock())
        if shown := _shown_by(delta):
            clock.read(shown, now)
        at = shown + clock.lag if shown else now
        # In format 3 an object that is not mentioned is unchanged; in the others it may be gone.
        times = dict.fromkeys(known, at) if "t" in delta else {}
        for stats_id, changed in delta.items():
            if isinstance(changed, dict):
                values = _long(changed)
                known.setdefault(stats_id, {}).update(values)
                own = _time(values.get("timestamp"))
                times[stats_id] = own + clock.lag if own else at
            elif changed is None:
                known.pop(stats_id, None)
                times.pop(stats_id, None)
        stats = self._connection(connection_id).stats
        for stats_id, time in times.items():
            values = known[stats_id]
            kind = kind_of(stats_id, values.get("type"))
            stats.setdefault(stats_id, Stats(kind)).add(
                time / 1000, {name: value for name, value in values.items() if name in MEMBERS}, clock.era
            )


def _time_of(event: list[Any]) -> float:
    """The last value, or the one before a sequence number."""
    *_, before, last = event
    numbered = len(event) > _SHORTEST and isinstance(before, int | float) and last < MILLISECONDS_FROM <= before
    return float(before if numbered else last)


def _shown_by(delta: dict[str, Any]) -> float | None:
    """The time of getStats(): that of the newest object where there is none for all."""
    if (time := _time(delta.get("t", delta.get("timestamp")))) is not None:
        return time
    own = (_time(changed.get("timestamp")) for changed in delta.values() if isinstance(changed, dict))
    return max((time for time in own if time is not None), default=None)


def _long(changed: dict[str, Any]) -> dict[str, Value]:
    """The changed members of an object, by full names; an import ignores its lists and objects."""
    values = {_NAMES.get(name, name): value for name, value in changed.items() if isinstance(value, Value)}
    if "type" in values:
        values["type"] = _TYPES.get(values["type"], values["type"])
    return values


def _time(value: object) -> float | None:
    """A time in milliseconds, or None: 0 means the time of the others, and some are texts."""
    return value if isinstance(value, int | float) and MILLISECONDS_FROM <= value <= MAX_TIME else None
