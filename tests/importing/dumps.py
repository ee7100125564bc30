"""A small recorded call, and how each kind of file writes it down."""

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from roompulse.importing.files import read
from roompulse.importing.reports import reports_of
from roompulse.report.model import Received, Stream
from tests.builders import NOW

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.gz"))

START = NOW + 1
"""Just after the start of an interval."""

Snapshots = list[tuple[float, dict[str, dict[str, Any]]]]
"""A result of getStats(), and its time (Unix seconds)."""


def snapshot(second: float) -> dict[str, dict[str, Any]]:
    """A connection that sends a camera at 1000 kbit/s and 25 fps, of which 2 % is lost, and receives a microphone."""
    return {
        "OV": {
            "type": "outbound-rtp",
            "kind": "video",
            "mid": "0",
            "transportId": "T",
            "packetsSent": 100 * second,
            "bytesSent": 125_000 * second,
            "framesEncoded": 25 * second,
            "frameWidth": 1280,
            "frameHeight": 720,
        },
        "RV": {
            "type": "remote-inbound-rtp",
            "kind": "video",
            "localId": "OV",
            "packetsLost": 2 * second,
            "roundTripTime": 0.045,
            "jitter": 0.008,
        },
        "IA": {
            "type": "inbound-rtp",
            "kind": "audio",
            "mid": "1",
            "transportId": "T",
            "codecId": "C",
            "packetsReceived": 49 * second,
            "packetsLost": second,
            "bytesReceived": 8000 * second,
            "jitter": 0.004,
        },
        "C": {"type": "codec", "clockRate": 48000, "channels": 2},
        "T": {"type": "transport", "selectedCandidatePairId": "P"},
        "P": {"type": "candidate-pair", "nominated": True, "currentRoundTripTime": 0.06},
    }


def call(seconds: Iterable[float] = range(21), **changes: Mapping[str, Any]) -> Snapshots:
    """A call, sampled at these seconds. `changes` are by stats id; None leaves a member out."""
    made: Snapshots = []
    for second in seconds:
        objects = snapshot(second)
        for stats_id, members in changes.items():
            objects.setdefault(stats_id, {}).update(members)
        made.append((START + second, {name: _known(one) for name, one in objects.items()}))
    return made


def _known(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def description(**streams: str) -> dict[str, str]:
    """A remote description in which these media streams (by mid, as in `m1`) are sent."""
    sections = "".join(
        f"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:{mid[1:]}\r\na=msid:{stream} track\r\n"
        for mid, stream in streams.items()
    )
    return {"type": "offer", "sdp": f"v=0\r\ns=-\r\n{sections}"}


ADA = description(m1="ada")


def internals(
    snapshots: Snapshots, *, times: bool = True, described: Any = ADA, typed: bool = True, logged: float = 0
) -> bytes:
    """As chrome://webrtc-internals writes it; without `times` as before Chromium 117, and before 2021 not `typed`.

    `logged` is when the log has the description (Unix seconds); older ones have it in words.
    """
    points: dict[str, list[tuple[float, Any]]] = {}
    types = {}
    for at, objects in snapshots:
        for stats_id, members in objects.items():
            for member, value in {**members, **({"timestamp": at * 1000} if times else {})}.items():
                points.setdefault(f"{stats_id}-{member}", []).append((at, value))
                types[f"{stats_id}-{member}"] = members["type"]
    stats = {name: series(some, types[name] if typed else None) for name, some in points.items()}
    update = {"type": "setRemoteDescription", "value": json.dumps(described), "timestamp": logged * 1000}
    return json.dumps({"PeerConnections": {"1-1": {"stats": stats, "updateLog": [update]}}}, indent=1).encode()


def series(points: list[tuple[float, Any]], stats_type: str | None) -> dict[str, str]:
    start, end = (datetime.fromtimestamp(at, UTC).isoformat() for at in (points[0][0], points[-1][0]))
    values = json.dumps([value for _, value in points])
    known = {"startTime": start, "endTime": end, "values": values}
    return known | ({"statsType": stats_type} if stats_type else {})


def rtcstats(
    snapshots: Snapshots,
    *,
    described: Any = ADA,
    lag: float = 0,
    events: Iterable[Any] = (),
    later: Mapping[float, Sequence[Any]] = MappingProxyType({}),
) -> bytes:
    """Format 2 with all of each object; the compression of formats 1 and 2 is left to their tests.

    The clock of getStats() is behind that of the log by `lag` seconds. `events` are in front, `later` by their second.
    """
    start = (snapshots[0][0] + lag) * 1000
    lines: list[Any] = [{"fileFormat": 2}, ["setRemoteDescription", "PC_0", described, start]]
    lines += [[*event, start] for event in events]
    timed = [["getstats", "PC_0", {**objects, "timestamp": at * 1000}, (at + lag) * 1000] for at, objects in snapshots]
    timed += [[*event, (START + second + lag) * 1000] for second, event in later.items()]
    lines += sorted(timed, key=lambda line: line[-1]) if later else timed  # else the clock may be set
    return "\n".join(map(json.dumps, lines)).encode()


def chromium_rtcstats(snapshots: Snapshots, *, lag: float = 0) -> bytes:
    """Format 3 as Chromium writes it: nothing is compressed."""
    lines: list[Any] = [["setRemoteDescription", "1-1", ADA, (snapshots[0][0] + lag) * 1000]]
    before = snapshots[0][0]
    for at, objects in snapshots:
        timed = {name: {**members, "timestamp": at * 1000} for name, members in objects.items()}
        lines.append(["getStats", "1-1", timed, (at - before) * 1000])
        before = at
    return b'RTCStatsDump\n{"fileFormat":3}\n' + "\n".join(map(json.dumps, lines)).encode()


def file(folder: Path, content: bytes, name: str = "call.json") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def imported(folder: Path, content: bytes) -> list[Received]:
    return reports_of(read(file(folder, content)), "room-1")


def streams(received: Received) -> dict[tuple[str, str, str], Stream]:
    """By user, stream and direction."""
    return {
        (entry.user_id, stream.stream_id, stream.direction): stream
        for entry in received.report.metrics
        for stream in entry.streams
    }
