"""Dumps of chrome://webrtc-internals.

A connection's `stats` has a series for each member of each stats object: `<id>-<member>` with the values as JSON in a
string, at most the newest 1000 of them. Since Chromium 117 one more series has the times of the object
(`<id>-timestamp`); before, there are only those of the first and the last value.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from roompulse.importing.recording import INTERVAL, MEMBERS, Connection, Recording, Stats, Unusable, Value, senders_of
from roompulse.report.model import MAX_TIME

SOURCE = "internals"

Milliseconds = Annotated[float, Meta(ge=0, le=MAX_TIME)]
Moment = Annotated[datetime, Meta(tz=True)]


class _Series(Struct, rename="camel"):
    """One without values has no members at all."""

    values: str = "[]"
    start_time: Moment | None = None
    end_time: Moment | None = None
    stats_type: str = ""


class _Update(Struct):
    """`timestamp` is missing in older dumps, whose times are in words."""

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
    """Raises Unusable: it is no such dump."""
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
    descriptions = (update for update in one.update_log if update.type == "setRemoteDescription")
    return Connection(
        {stats_id: _stats(series) for stats_id, series in members.items()},
        [(update.timestamp / 1000, senders_of(update.value)) for update in descriptions],
    )


def _stats(members: dict[str, _Series]) -> Stats:
    own_times = members.pop("timestamp", None)
    values = {member: _decode_values(series.values) for member, series in members.items()}
    times = [at / 1000 for at in _decode_times(own_times.values)] if own_times else _spread(members, values)
    begins = {member: _begin(times, members[member], len(found)) for member, found in values.items()}
    stats = Stats(max(one.stats_type for one in members.values()) if members else "")
    for place in {at // INTERVAL: place for place, at in enumerate(times)}.values():  # the last one of each
        point: dict[str, Value] = {}
        for member, begin in begins.items():
            if begin is not None and 0 <= place - begin < len(values[member]):
                value = values[member][place - begin]
                if value is not None:
                    point[member] = value
        stats.add(times[place], point)
    return stats


def _spread(members: Mapping[str, _Series], values: Mapping[str, Sequence[object]]) -> list[float]:
    """When an object was asked for (Unix seconds), from the times of the first and the last value of the longest."""
    longest = max(values, key=lambda member: len(values[member]))
    span, steps = _span(members[longest]), len(values[longest]) - 1
    if span is None:
        return []
    start, end = span
    return [start + (end - start) * step / max(1, steps) for step in range(steps + 1)]


def _begin(times: Sequence[float], series: _Series, count: int) -> int | None:
    """Where among `times` the values of a member begin that had none at times, or that had none left before.

    None if they do not fit between their first and last time: some are missing within, and the rest has no time.
    """
    span = _span(series)
    if span is None or not 0 < count <= len(times):
        return None
    start, end = span
    near = max(_CUT, (times[-1] - times[0]) / len(times) / 2)
    for place in range(len(times) - count, -1, -1):  # most often it is the first values that are missing
        if abs(times[place] - start) <= near and abs(times[place + count - 1] - end) <= near:
            return place
    return None


_CUT = 0.002
"""Seconds: the times of first and last values are cut to milliseconds."""


def _span(series: _Series) -> tuple[float, float] | None:
    if series.start_time and series.end_time:
        return series.start_time.timestamp(), series.end_time.timestamp()
    return None
