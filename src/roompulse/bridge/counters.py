"""Figures of a stream between two reports, from Janus' counters."""

from collections.abc import Sequence
from typing import NamedTuple

from roompulse.bridge.events import Stats
from roompulse.client import Audio, Direction, Network, Stream, Video

_MOST_KBIT, _MOST_MS = 10_000_000, 600_000
"""The maximum of a report. More is implausible."""


class Figures(NamedTuple):
    """The changes between two reports; rtt and jitter (ms) are 0 where they are not known."""

    packets: int
    lost: int
    kbit: float
    rtt: int
    jitter: int


class Counter:
    """One stream of a PeerConnection, or one layer of it."""

    __slots__ = ("_at", "_first", "_first_at", "_last")

    def __init__(self, stats: Stats, at: int) -> None:
        self._first = self._last = stats
        self._first_at = self._at = at

    def note(self, stats: Stats, at: int) -> None:
        """Statistics of a time (microseconds). Time or counters that go back are a reset."""
        went_back = stats.bytes_received < self._last.bytes_received or stats.bytes_sent < self._last.bytes_sent
        if at <= self._at or went_back:
            self._first, self._first_at = stats, at
        self._last, self._at = stats, at

    def figures(self, direction: Direction) -> Figures | None:
        """The changes since the previous call; None if nothing newer is known."""
        first, last, duration = self._first, self._last, self._at - self._first_at
        if duration <= 0:
            return None
        self._first, self._first_at = last, self._at
        if direction == "send":
            packets, size = last.packets_received - first.packets_received, last.bytes_received - first.bytes_received
            lost, rtt, jitter = _signed(last.lost - first.lost), 0, last.jitter_local
        else:
            packets, size = last.packets_sent - first.packets_sent, last.bytes_sent - first.bytes_sent
            lost, rtt, jitter = _signed(last.lost_by_remote - first.lost_by_remote), last.rtt, last.jitter_remote
        return Figures(max(0, packets), max(0, lost), 8000 * size / duration, rtt, jitter)


def _signed(lost: int) -> int:
    """Losses are counted in 32 bits, and may be negative: a duplicate packet counts for two."""
    return (lost + 2**31) % 2**32 - 2**31


def stream_of(name: str, direction: Direction, sender_id: str | None, kind: str, layers: Sequence[Figures]) -> Stream:
    """The stream of a report; a stream without packets has no network figures."""
    kbit = round(min(sum(one.kbit for one in layers), _MOST_KBIT), 1)
    video, audio = (Video(bitrate=kbit), None) if kind == "video" else (None, Audio(bitrate=kbit))
    return Stream(name, direction, video=video, audio=audio, network=_network(direction, layers), sender_id=sender_id)


def _network(direction: Direction, layers: Sequence[Figures]) -> Network | None:
    packets, lost = sum(one.packets for one in layers), sum(one.lost for one in layers)
    # The receiver counts losses of packets sent to it, Janus missing packets beside the received ones.
    expected = packets if direction == "recv" else packets + lost
    if not packets:
        return None
    return Network(
        rtt=min(max(one.rtt for one in layers), _MOST_MS) or None,
        packet_loss=round(min(100.0, 100 * lost / expected), 2),
        jitter=min(max(one.jitter for one in layers), _MOST_MS),
    )
