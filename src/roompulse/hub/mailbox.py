"""One viewer's mailbox."""

import asyncio
from collections.abc import Mapping


class Mailbox:
    """Holds the newest frame of each target until the viewer takes them.

    A viewer that reads slowly skips states instead of falling behind, and its mailbox never holds more than one frame
    per target of its view.
    """

    __slots__ = ("_closed", "_frames", "_wake")

    def __init__(self) -> None:
        self._frames: dict[str, bytes] = {}
        self._wake = asyncio.Event()
        self._closed = False

    def put(self, frames: Mapping[str, bytes]) -> int:
        """Replace the frames of these targets; returns how many of those that were there nobody will read."""
        if self._closed:
            return 0
        unread = len(self._frames.keys() & frames.keys()) if self._frames else 0
        self._frames |= frames
        self._wake.set()
        return unread

    def close(self) -> None:
        """Take nothing more in, so that also who reads slowly comes to the end."""
        self._closed = True
        self._wake.set()

    async def take(self) -> bytes | None:
        """Wait for frames and return them as one piece, or None when the mailbox is closed and empty."""
        while not self._frames:
            if self._closed:
                return None
            self._wake.clear()
            await self._wake.wait()
        frames, self._frames = self._frames, {}
        return b"".join(frames.values())
