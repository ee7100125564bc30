"""Dumps of chrome://webrtc-internals.

A connection's `stats` has a series for each member of each stats object: `<id>-<member>` with the values as JSON in a
string, at most the newest 1000 of them. Since Chromium 117 one more series has the times of the object
(`<id>-timestamp`); before, there are only those of the first and the last value.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from roompulse.importing.recording import INTERVAL, MEMBERS, Connection, Recording, Stats, Unusable, Value, kind_of
from roompulse.importing.sdp import senders_of, sources_of
from roompulse.report.model import MAX_TIME

SOURCE = "internals"

Milliseconds = Annotated[float, Meta(ge=0, le=MAX_TIME)]
Moment = Annotated[datetime, Meta(tz=True)]


class _Series(Struct, rename="camel"):
    """A series without values has no members."""

    values: str = "[]"
    start_time: Moment | None = None
    end_time: Moment | None = None
    stats_type: str = ""


class _Update(Struct):
    """`timestamp` is missing in older dumps, whose times are texts."""

    type: str = ""
    value: Any = None
    timestamp: Milliseconds = 0


class _PeerConnection(Struct, rename="camel"):
    stats: dict[str, _Series] = field(default_factory=dict)
    update_log: list[_Update] = field(default_factory=list)


class _Dump(Struct):
    connections: dict[str, _PeerConnection] = field(name="PeerConnections")


_decode_dump = msgspec.json.Decoder(_Dump).decode
_decode_values = msgspec.json.Decoder(list[Value | None]).decode
_decode_times = msgspec.json.Decoder(list[Milliseconds]).decode


def read_internals(data: bytes) -> Recording:
    """Raises Unusable: it is not such a dump."""
    try:
        dump = _decode_dump(data)
        return Recording(SOURCE, {name: _connection(one) for name, one in dump.connections.items()})
    except msgspec.ValidationError as error:
        raise Unusable(f"JSON, but no dump of chrome://webrtc-internals or rtcstats: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unusable(f"no JSON, or not all of it: {error}") from None


def _connection(one: _PeerConnection) -> Connection:
    members: defaultdict[str, dict[str, _Series]] = defaultdict(dict)
    for name, series in one.stats.items():
        stats_id, _, member = name.rpartition("-")
        if member in MEMBERS or member == "timestamp":
            members[stats_id][member] = series
    found = {stats_id: _Object.of(series) for stats_id, series in members.items()}
    lag = _lag(one.update_log, found.values())
    connection = Connection({stats_id: one.stats(stats_id, lag) for stats_id, one in found.items()})
    for update in one.update_log:
        if update.type == "setRemoteDescription":
            connection.senders.append((update.timestamp / 1000, senders_of(update.value)))
        elif update.type in {"setLocalDescription", "createOfferOnSuccess", "createAnswerOnSuccess"}:
            connection.sources |= sources_of(update.value)
        elif update.type.lower() == "iceconnectionstatechange" and update.timestamp and isinstance(update.value, str):
            # In older dumps it is `ICEConnectionStateFailed`.
            state = update.value.lower().removeprefix("iceconnectionstate")
            connection.ice.append((update.timestamp / 1000, state))
    return connection


class _Object(Struct, frozen=True):
    """The series of a stats object: its values by member, and the times of the samples (Unix seconds)."""

    series: Mapping[str, _Series]
    values: Mapping[str, Sequence[Value | None]]
    times: Sequence[float]

    @classmethod
    def of(cls, series: dict[str, _Series]) -> "_Object":
        own_times = series.pop("timestamp", None)
        values = {member: _decode_values(one.values) for member, one in series.items()}
        times = [at / 1000 for at in _decode_times(own_times.values)] if own_times else _spread(series, values)
        return cls(series, values, times)

    def stats(self, stats_id: str, lag: float) -> Stats:
        begins = {member: _begin(self.times, self.series[member], len(found)) for member, found in self.values.items()}
        stats = Stats(kind_of(stats_id, max((one.stats_type for one in self.series.values()), default="")))
        times = [(at + lag, era) for at, era in _steady(self.times)]
        for place in {at // INTERVAL: place for place, (at, _) in enumerate(times)}.values():  # the last one of each
            point: dict[str, Value] = {}
            for member, begin in begins.items():
                if begin is not None and 0 <= place - begin < len(self.values[member]):
                    value = self.values[member][place - begin]
                    if value is not None:
                        point[member] = value
            at, era = times[place]
            stats.add(at, point, era)
        return stats


def _steady(times: Sequence[float]) -> list[tuple[float, int]]:
    """Times that continue an INTERVAL later where the clock went back, with the number of earlier such places."""
    placed: list[tuple[float, int]] = []
    shift, era, newest = 0.0, 0, float("-inf")
    for at in times:
        if at + shift < newest - _JITTER:
            shift, era = newest + INTERVAL - at, era + 1
        newest = max(newest, at + shift)
        placed.append((newest, era))
    return placed


def _lag(log: Sequence[_Update], objects: Iterable[_Object]) -> float:
    """By how much the clock of getStats() is behind that of the log, as on a machine that slept.

    Statistics of a connection cannot be from before its first entry in the log.
    """
    logged = min((update.timestamp / 1000 for update in log if update.timestamp), default=0.0)
    began = min((one.times[0] for one in objects if one.times), default=logged)
    return logged - began if logged - began > _BEHIND else 0.0


_JITTER = 0.5
_BEHIND = 10.0
"""Seconds by which two clocks may differ and still count as the same."""


def _spread(members: Mapping[str, _Series], values: Mapping[str, Sequence[object]]) -> list[float]:
    """The times of an object's samples (Unix seconds), from the first and the last time of the longest series."""
    longest = max(values, key=lambda member: len(values[member]))
    span, steps = _span(members[longest]), len(values[longest]) - 1
    if span is None or span[1] < span[0]:
        return []
    start, end = span
    return [start + (end - start) * step / max(1, steps) for step in range(steps + 1)]


def _begin(times: Sequence[float], series: _Series, count: int) -> int | None:
    """The place in `times` where the values of an incomplete member begin.

    None if they do not fit between their first and last time: some are missing, so the times are unknown.
    """
    span = _span(series)
    if span is None or not 0 < count <= len(times):
        return None
    start, end = span
    near = max(_CUT, (times[-1] - times[0]) / len(times) / 2)
    for place in range(len(times) - count, -1, -1):  # usually the first values are missing
        if abs(times[place] - start) <= near and abs(times[place + count - 1] - end) <= near:
            return place
    return None


_CUT = 0.002
"""Seconds: the times of first and last values are cut to milliseconds."""


def _span(series: _Series) -> tuple[float, float] | None:
    if series.start_time and series.end_time:
        return series.start_time.timestamp(), series.end_time.timestamp()
    return None
