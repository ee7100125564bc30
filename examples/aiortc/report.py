"""Reports what `getStats()` of an aiortc connection says: `async with Watched(connection, reporter, ...)`."""

import asyncio
from contextlib import suppress
from typing import Any, Self

from aiortc import RTCPeerConnection, RTCRtpReceiver, RTCRtpSender

from roompulse.client import AsyncReporter, Audio, Direction, Entry, Event, Network, Report, Stream, Video

VERSION = "aiortc-example 1"
NAMES = {"video": "camera", "audio": "mic"}


class Watched:
    """Reports one connection of `user` in `room`, every `interval` seconds until the block ends.

    `other` is the sender of received media; without it, the sender is unknown.
    """

    def __init__(
        self,
        connection: RTCPeerConnection,
        reporter: AsyncReporter,
        *,
        room: str,
        user: str,
        other: str | None = None,
        interval: float = 5.0,
    ) -> None:
        self._connection, self._reporter = connection, reporter
        self._room, self._user, self._other = room, user, other or user
        self._interval = interval
        self._before: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._send([], [Event("left")])

    async def _run(self) -> None:
        while True:
            sent = [await self._sent(sender) for sender in self._connection.getSenders() if sender.track]
            received = [await self._received(receiver) for receiver in self._connection.getReceivers()]
            self._send([Entry(self._user, list(filter(None, sent))), Entry(self._other, list(filter(None, received)))])
            await asyncio.sleep(self._interval)

    def _send(self, metrics: list[Entry], events: list[Event] | None = None) -> None:
        self._reporter.send(Report(self._user, self._room, VERSION, metrics, events=events))

    async def _sent(self, sender: RTCRtpSender) -> Stream | None:
        """What is sent, and by the receiver reports of the other side what becomes of it."""
        stats = {one.type: one for one in (await sender.getStats()).values()}
        now, there = stats.get("outbound-rtp"), stats.get("remote-inbound-rtp")
        before = self._before_of(now)
        if now is None or before is None:
            return None
        network = self._network(there, now.packetsSent - before.packetsSent)
        seconds = (now.timestamp - before.timestamp).total_seconds()
        return _stream(now.kind, "send", 8 * (now.bytesSent - before.bytesSent) / 1000 / seconds, network)

    async def _received(self, receiver: RTCRtpReceiver) -> Stream | None:
        stats = {one.type: one for one in (await receiver.getStats()).values()}
        now = stats.get("inbound-rtp")
        return _stream(now.kind, "recv", None, self._network(now)) if now else None

    def _before_of(self, now: Any) -> Any:
        """The same statistics as of the report before, or None."""
        before = self._before.get(now.id) if now else None
        if now:
            self._before[now.id] = now
        return before

    def _network(self, now: Any, sent: int | None = None) -> Network | None:
        """What was lost since the report before: of `sent` packets, else of those that came and those that did not."""
        before = self._before_of(now)
        if before is None:
            return None
        lost = max(0, now.packetsLost - before.packetsLost)
        expected = sent or now.packetsReceived - before.packetsReceived + lost
        rate = {"video": 90_000, "audio": 48_000}[now.kind]
        rtt = getattr(now, "roundTripTime", None)
        return Network(
            rtt=rtt and 1000 * rtt,
            packet_loss=min(100.0, 100 * lost / expected) if expected > 0 else None,
            jitter=1000 * now.jitter / rate,
        )


def _stream(kind: str, direction: Direction, kbit: float | None, network: Network | None) -> Stream:
    video, audio = (Video(bitrate=kbit), None) if kind == "video" else (None, Audio(bitrate=kbit))
    return Stream(NAMES[kind], direction, video=video, audio=audio, network=network)
