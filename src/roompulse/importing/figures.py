"""The figures of a recording's streams: computed from the change since the previous point."""

import re
from collections.abc import Iterable, Sequence
from math import floor, prod
from typing import Literal

from msgspec import Struct

from roompulse.importing.changes import (
    COUNTERS,
    LONGEST_GAP,
    Change,
    Part,
    change_at,
    gain_of,
    number_of,
    points_at,
    recent_at,
    seconds_of,
)
from roompulse.importing.recording import INTERVAL, Connection, Point
from roompulse.report.model import Audio, Direction, Network, Stream, Video

LOCAL = "local"
"""The user who recorded."""

Media = Literal["mic", "camera", "screen"]


class Track(Struct, frozen=True):
    """One stream of a user. It has several parts where it is simulcast, or where its SSRC changed."""

    user_id: str
    stream_id: str
    direction: Direction
    media: Media
    connection: Connection
    parts: list[Part]

    def at(self, interval: int) -> Stream | None:
        """Its figures at the end of an interval; None without packets, or where their number is unknown."""
        changes = [change for part in self.parts if (change := change_at(part, self.direction, interval))]
        if self.media != "mic":
            changes = [change for change in changes if not _is_padding(change)]
        if not changes:
            return None
        network = _network(self, changes, interval)
        bitrate = _rounded(sum(change.bytes * 8 / 1000 / change.seconds for change in changes))
        if self.media == "mic":
            return Stream(self.stream_id, self.direction, audio=_audio(self, changes[0], bitrate), network=network)
        return Stream(self.stream_id, self.direction, video=_video(self, changes, bitrate), network=network)


def why_nothing(tracks: Iterable[Track]) -> str:
    """The reason for the operator why no interval has figures."""
    lasting = [
        (points, track)
        for track in tracks
        for part in track.parts
        for interval in part.stats.points
        if (points := points_at(part.stats, interval))
    ]
    if not lasting:
        return f"too short: nothing lasts for two intervals of {INTERVAL:g} s"
    gains = [[gain_of(points, counter) for counter in COUNTERS[track.direction]] for points, track in lasting]
    if all(None in some for some in gains):
        return "no counters: its inbound-rtp and outbound-rtp do not say how many packets and bytes there were"
    seconds = max(points[1].at for points, _ in lasting) - min(points[0].at for points, _ in lasting)
    if not any(packets for packets, _ in gains):
        return f"no packets: nothing was sent or received in {seconds:.0f} s"
    return f"no media: the packets of {seconds:.0f} s are padding, with no frame of video and no audio"


def _is_padding(change: Change) -> bool:
    """Whether the packets had no picture, as from a paused sender: no frame, and none broken by loss."""
    if change.frames != 0:
        return False
    unbroken = change.gain("framesReceived") == 0 and not change.gain("packetsLost")
    return change.bytes == 0 or unbroken


def _video(track: Track, changes: Sequence[Change], bitrate: float) -> Video | None:
    """None for a camera that was turned off, which continues as black frames."""
    largest = max(changes, key=lambda change: number_of(change.after, "frameWidth") or 0)
    rate = _shown_per_second(track, largest)
    codec = _codec(track, largest)
    if track.media == "camera" and _is_black(track, largest, rate, codec):
        return None
    steady = not rate or _is_steady(largest, rate)
    frozen = steady and track.media == "camera"
    return Video(
        frame_rate=_rounded(rate) if rate is not None and steady else None,
        width=_whole(number_of(largest.after, "frameWidth")),
        height=_whole(number_of(largest.after, "frameHeight")),
        bitrate=bitrate,
        codec=codec,
        frames_dropped=_whole(largest.gain("framesDropped")),
        freeze_count=_whole(largest.gain("freezeCount")) if frozen else None,
        freeze_duration=_optional(largest.gain("totalFreezesDuration")) if frozen else None,
    )


def _shown_per_second(track: Track, change: Change) -> float | None:
    """Frames; browsers count each spatial layer of VP9 and AV1 as one where it is encoded."""
    if change.frames is None:
        return None
    counted = change.frames / change.seconds
    source = track.connection.stats.get(str(change.after.values.get("mediaSourceId")))
    points = points_at(source, floor(change.after.at / INTERVAL)) if source else None
    frames = gain_of(points, "frames") if points else None
    captured = frames / seconds_of(points) if points and frames else None
    mode = str(change.after.values.get("scalabilityMode", ""))
    if mode[:2] not in _LAYERED and (captured is None or counted <= _MORE_THAN_CAPTURED * captured):
        return counted
    shown = number_of(change.after, "framesPerSecond")
    shown = captured if shown is None else shown
    return None if shown is None else min(counted, shown)


_LAYERED = {"L2", "L3", "S2", "S3"}
_MORE_THAN_CAPTURED = 1.25


def _is_steady(change: Change, rate: float) -> bool:
    """Whether the picture neither started nor ended in the interval, as far as known: else a low rate means nothing."""
    ends = [number_of(point, "framesPerSecond") for point in (change.before, change.after)]
    if change.gain("packetsLost"):
        return True
    if ends == [None, None]:
        return change.frames_before != 0
    return all((end or 0) >= rate / 2 for end in ends)


def _is_black(track: Track, change: Change, rate: float | None, codec: str | None) -> bool:
    """Very few bits with a fine quantiser; where the quantiser is not known (Firefox), very few received bits."""
    size = (number_of(change.after, member) for member in ("frameWidth", "frameHeight"))
    area = prod(side or 0 for side in size)
    if not rate or not area or change.bytes * 8 / (rate * change.seconds) >= _EMPTY_FRAME + _EMPTY_PIXEL * area:
        return False
    quantiser = change.gain("qpSum")
    if quantiser is None or not change.frames:
        return track.direction == "recv"
    return quantiser / change.frames < _COARSEST.get(codec or "", 0) / 2


_EMPTY_PIXEL, _EMPTY_FRAME = 0.006, 800
"""Bits below which a frame is black."""

_COARSEST = {"VP8": 127, "VP9": 255, "AV1": 255, "H264": 51, "H265": 51}
"""The quantiser of the worst picture, by codec."""


def _codec(track: Track, change: Change) -> str | None:
    codec = track.connection.stats.get(str(change.after.values.get("codecId")))
    found = re.fullmatch(r"\w+/([\w.-]{1,64})", str(codec.last("mimeType"))) if codec else None
    return found[1] if found else None


def _audio(track: Track, change: Change, bitrate: float) -> Audio:
    codec = track.connection.stats.get(str(change.after.values.get("codecId")))
    sample_rate, channels = (codec.last("clockRate"), codec.last("channels")) if codec else (None, None)
    return Audio(
        sample_rate=_whole(sample_rate),
        channels=_whole(channels),
        bitrate=bitrate,
        codec=_codec(track, change),
        concealed=_concealed(change),
    )


def _concealed(change: Change) -> float | None:
    """Percent of the samples, without silent ones."""
    samples, made_up = change.gain("totalSamplesReceived"), change.gain("concealedSamples")
    if not samples or made_up is None:
        return None
    return _rounded(min(100, 100 * max(0, made_up - (change.gain("silentConcealedSamples") or 0)) / samples))


def _network(track: Track, changes: Sequence[Change], interval: int) -> Network:
    """For sent streams, by the receiver's reports; the rtt of the path is known at both ends."""
    measured = [change.part.remote if track.direction == "send" else change.part.stats for change in changes]
    rtt = _largest(recent_at(stats, interval, "roundTripTime") for stats in measured)
    return Network(
        rtt=_milliseconds(rtt if rtt is not None else _path_rtt(track.connection, changes[0].after, interval)),
        packet_loss=_loss(track.direction, changes, interval),
        jitter=_milliseconds(_largest(recent_at(stats, interval, "jitter") for stats in measured)),
    )


def _loss(direction: Direction, changes: Sequence[Change], interval: int) -> float | None:
    lost = total = 0.0
    for change in changes:
        known = _lost_and_sent(change, interval) if direction == "send" else _lost_and_received(change)
        if known:
            lost += known[0]
            total += known[1]
    return _rounded(min(100.0, 100 * lost / total)) if total else None


def _lost_and_received(change: Change) -> tuple[float, float] | None:
    lost = gain_of((change.before, change.after), "packetsLost")
    if lost is None:
        return None
    lost = max(0.0, lost)  # packets counted as lost may still arrive
    return lost, lost + change.packets


def _lost_and_sent(change: Change, interval: int) -> tuple[float, float] | None:
    """By the receiver's newest reports, of which there is one about every five seconds for audio."""
    for recent in range(interval, interval - LONGEST_GAP, -1):
        told = points_at(change.part.remote, recent) if change.part.remote else None
        sent = points_at(change.part.stats, recent)
        lost, packets = told and gain_of(told, "packetsLost"), sent and gain_of(sent, "packetsSent")
        if told and sent and lost is not None and packets:
            # Its reports are closer together than the points here.
            return max(0.0, lost) * seconds_of(sent) / seconds_of(told), packets
    return None


def _path_rtt(connection: Connection, point: Point, interval: int) -> float | None:
    """The rtt of the candidate pair in use."""
    transport = connection.stats.get(str(point.values.get("transportId")))
    chosen = connection.stats.get(str(transport.last("selectedCandidatePairId"))) if transport else None
    if chosen:
        return recent_at(chosen, interval, "currentRoundTripTime")
    pairs = (stats for stats in connection.stats.values() if stats.kind == "candidate-pair")
    used = (stats for stats in pairs if stats.last("selected") or stats.last("nominated"))
    return _largest(recent_at(stats, interval, "currentRoundTripTime") for stats in used)


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else _rounded(seconds * 1000)


def _optional(value: float | None) -> float | None:
    return None if value is None else _rounded(value)


def _rounded(value: float) -> float:
    return round(value, 2)


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None
