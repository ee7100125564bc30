"""Who sends what to whom in a recording, and how well: figures of streams from what changed since the point before."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from roompulse.importing.recording import Connection, Point, Recording, Stats
from roompulse.report.ids import id_fault
from roompulse.report.model import Audio, Direction, Network, Stream, Video

LOCAL = "local"
"""The user who recorded."""

_LONGEST_GAP = 4
"""Intervals between two points. What lies within a longer gap is not known, not even on average."""

Media = Literal["mic", "camera", "screen"]


class Part(Struct, frozen=True):
    """An `outbound-rtp` with its `remote-inbound-rtp`, or an `inbound-rtp`."""

    stats: Stats
    remote: Stats | None


class Track(Struct, frozen=True):
    """One stream of a user. It has several parts where it is simulcast, or where its SSRC changed."""

    user_id: str
    stream_id: str
    direction: Direction
    media: Media
    connection: Connection
    parts: list[Part]

    def at(self, interval: int) -> Stream | None:
        """Its figures at the end of an interval; None where nothing came, or nothing is known of how much."""
        changes = [change for part in self.parts if (change := _change(part, self.direction, interval))]
        if not changes:
            return None
        network = _network(self, changes, interval)
        bitrate = _rounded(sum(change.bytes * 8 / 1000 / change.seconds for change in changes))
        if self.media == "mic":
            return Stream(self.stream_id, self.direction, audio=_audio(self, changes[0], bitrate), network=network)
        return Stream(self.stream_id, self.direction, video=_video(changes, bitrate), network=network)


def tracks_of(recording: Recording) -> list[Track]:
    """All streams, in the order in which the dump has them."""
    names = _Names()
    tracks: dict[tuple[object, ...], Track] = {}
    for connection_id, connection in recording.connections.items():
        remotes = {remote.last("localId"): remote for remote in connection.stats.values() if remote.kind == _REMOTE}
        for stats_id, stats in connection.stats.items():
            direction, media = _DIRECTIONS.get(stats.kind), _media(stats)
            if direction is None or media is None:
                continue
            user_id = LOCAL if direction == "send" else names.sender(connection_id, connection, stats)
            key = (connection_id, direction, user_id, media, _line(stats_id, stats))
            if key not in tracks:
                stream_id = names.stream(user_id, direction, media)
                tracks[key] = Track(user_id, stream_id, direction, media, connection, [])
            tracks[key].parts.append(Part(stats, remotes.get(stats_id)))
    return list(tracks.values())


_DIRECTIONS: dict[str, Direction] = {"outbound-rtp": "send", "inbound-rtp": "recv"}
_REMOTE = "remote-inbound-rtp"


def _media(stats: Stats) -> Media | None:
    if stats.last("kind") == "audio":
        return "mic"
    if stats.last("kind") == "video":
        return "screen" if stats.last("contentType") == "screenshare" else "camera"
    return None


def _line(stats_id: str, stats: Stats) -> str:
    """What the parts of one stream have in common."""
    known = (stats.last("mid"), stats.last("mediaSourceId"), stats_id)
    return str(next(one for one in known if one is not None))


class _Names:
    """Names of users and streams. A remote user is who sends a media stream, or whoever is at the other end."""

    def __init__(self) -> None:
        self._unnamed: dict[str, str] = {}
        self._streams: Counter[tuple[str, Direction, Media]] = Counter()

    def sender(self, connection_id: str, connection: Connection, stats: Stats) -> str:
        mid = str(stats.last("mid"))  # chrome://webrtc-internals makes numbers of all that look like one
        newest = next(reversed(stats.points.values())).at
        found = None
        for at, senders in connection.senders:
            if at <= newest:  # a media server gives the same `mid` to others later
                found = senders.get(mid, found)
        if found is None or found == LOCAL or id_fault(found):
            return self._unnamed.setdefault(connection_id, f"remote-{len(self._unnamed) + 1}")
        return found

    def stream(self, user_id: str, direction: Direction, media: Media) -> str:
        self._streams[user_id, direction, media] += 1
        count = self._streams[user_id, direction, media]
        return media if count == 1 else f"{media}-{count}"


class _Change(Struct, frozen=True):
    """What came from one point to a later one."""

    part: Part
    before: Point
    after: Point
    packets: float
    bytes: float

    @property
    def seconds(self) -> float:
        return _seconds((self.before, self.after))


def _change(part: Part, direction: Direction, interval: int) -> _Change | None:
    points = _points(part.stats, interval)
    if points is None:
        return None
    suffix = "Sent" if direction == "send" else "Received"
    packets, size = _gain(points, f"packets{suffix}"), _gain(points, f"bytes{suffix}")
    # Counters that go backwards began anew in between. A stream of which nothing comes is off, which is not bad.
    if not packets or size is None or packets < 0 or size < 0:
        return None
    return _Change(part, *points, packets, size)


def _points(stats: Stats, interval: int) -> tuple[Point, Point] | None:
    after = stats.points.get(interval)
    past_pages = (stats.points.get(interval - gap) for gap in range(1, _LONGEST_GAP + 1))
    before = next(filter(None, past_pages), None)
    return (before, after) if before and after and before.at < after.at else None


def _seconds(points: tuple[Point, Point]) -> float:
    return points[1].at - points[0].at


def _gain(points: tuple[Point, Point], counter: str) -> float | None:
    before, after = (_number(point, counter) for point in points)
    return None if before is None or after is None else after - before


def _number(point: Point, member: str) -> float | None:
    value = point.values.get(member)
    return value if isinstance(value, int | float) else None


def _recent(stats: Stats | None, interval: int, member: str) -> float | None:
    """The value at the end of an interval, of a while before where there is none."""
    points = (stats.points.get(interval - gap) for gap in range(_LONGEST_GAP)) if stats else ()
    return next((value for point in points if point and (value := _number(point, member)) is not None), None)


def _video(changes: Sequence[_Change], bitrate: float) -> Video:
    largest = max(changes, key=lambda change: _number(change.after, "frameWidth") or 0)
    frames = "framesEncoded" if "framesEncoded" in largest.after.values else "framesDecoded"
    count = _gain((largest.before, largest.after), frames)
    return Video(
        frame_rate=None if count is None or count < 0 else _rounded(count / largest.seconds),
        width=_whole(_number(largest.after, "frameWidth")),
        height=_whole(_number(largest.after, "frameHeight")),
        bitrate=bitrate,
    )


def _audio(track: Track, change: _Change, bitrate: float) -> Audio:
    codec = track.connection.stats.get(str(change.after.values.get("codecId")))
    sample_rate, channels = (codec.last("clockRate"), codec.last("channels")) if codec else (None, None)
    return Audio(sample_rate=_whole(sample_rate), channels=_whole(channels), bitrate=bitrate)


def _network(track: Track, changes: Sequence[_Change], interval: int) -> Network:
    """A sender is told by the receiver how its stream arrives; the path's rtt is known to both."""
    measured = [change.part.remote if track.direction == "send" else change.part.stats for change in changes]
    rtt = _largest(_recent(stats, interval, "roundTripTime") for stats in measured)
    return Network(
        rtt=_milliseconds(rtt if rtt is not None else _path_rtt(track.connection, changes[0].after, interval)),
        packet_loss=_loss(track.direction, changes, interval),
        jitter=_milliseconds(_largest(_recent(stats, interval, "jitter") for stats in measured)),
    )


def _loss(direction: Direction, changes: Sequence[_Change], interval: int) -> float | None:
    lost = total = 0.0
    for change in changes:
        known = _lost_and_sent(change, interval) if direction == "send" else _lost_and_received(change)
        if known:
            lost += known[0]
            total += known[1]
    return _rounded(min(100.0, 100 * lost / total)) if total else None


def _lost_and_received(change: _Change) -> tuple[float, float] | None:
    lost = _gain((change.before, change.after), "packetsLost")
    if lost is None:
        return None
    lost = max(0.0, lost)  # what was counted as lost may come after all
    return lost, lost + change.packets


def _lost_and_sent(change: _Change, interval: int) -> tuple[float, float] | None:
    """By the receiver's newest reports, of which there is one about every five seconds for audio."""
    for recent in range(interval, interval - _LONGEST_GAP, -1):
        told = _points(change.part.remote, recent) if change.part.remote else None
        sent = _points(change.part.stats, recent)
        lost, packets = told and _gain(told, "packetsLost"), sent and _gain(sent, "packetsSent")
        if told and sent and lost is not None and packets:
            # Its reports are not as far apart as the points that were taken here.
            return max(0.0, lost) * _seconds(sent) / _seconds(told), packets
    return None


def _path_rtt(connection: Connection, point: Point, interval: int) -> float | None:
    """The rtt of the candidate pair in use."""
    transport = connection.stats.get(str(point.values.get("transportId")))
    chosen = connection.stats.get(str(transport.last("selectedCandidatePairId"))) if transport else None
    if chosen:
        return _recent(chosen, interval, "currentRoundTripTime")
    pairs = (stats for stats in connection.stats.values() if stats.kind == "candidate-pair")
    used = (stats for stats in pairs if stats.last("selected") or stats.last("nominated"))
    return _largest(_recent(stats, interval, "currentRoundTripTime") for stats in used)


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else _rounded(seconds * 1000)


def _rounded(value: float) -> float:
    return round(value, 2)


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None
