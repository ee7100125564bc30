"""One viewer's mailbox."""

from collections.abc import Callable, Mapping

Deliver = Callable[[bytes], bool]
"""Sends frames to the viewer; returns whether it accepts more. If not, `Mailbox.ready` is called once it does."""


class Mailbox:
    """Delivers frames as they come; while the viewer does not read, it keeps the newest frame of each target.

    A slow viewer skips states instead of falling behind, and its mailbox never has more than one frame per target of
    its view.
    """

    __slots__ = ("_closed", "_deliver", "_frames", "_on_end", "_ready")

    def __init__(self) -> None:
        self._frames: dict[str, bytes] = {}
        self._ready = False
        self._closed = False
        self._deliver: Deliver = _not_yet
        self._on_end: Callable[[], object] = _not_yet

    def open(self, deliver: Deliver, on_end: Callable[[], object]) -> None:
        """Begin to deliver present and future frames; `on_end` is called after the last one."""
        self._deliver, self._on_end = deliver, on_end
        self.ready()

    @property
    def ended(self) -> bool:
        """Whether it is closed and all its frames are delivered."""
        return self._closed and not self._frames

    def put(self, frames: Mapping[str, bytes], joined: bytes | None = None) -> int:
        """Replace the frames of these targets. Returns how many unread frames were replaced.

        `joined` are the same frames in one piece, for a caller that puts them into many mailboxes.
        """
        if self._closed:
            return 0
        if self._ready:
            self._ready = self._deliver(_joined(frames) if joined is None else joined)
            return 0
        unread = len(self._frames.keys() & frames.keys()) if self._frames else 0
        self._frames |= frames
        return unread

    def ready(self) -> None:
        """Continue to deliver: the viewer has read all sent frames."""
        if not self._frames:
            self._ready = True
            return
        frames, self._frames = self._frames, {}
        self._ready = self._deliver(_joined(frames))
        if self._closed:
            self._on_end()

    def close(self) -> None:
        """Accept no more frames, so that slow viewers reach the end too."""
        self._closed = True
        if not self._frames:
            self._on_end()


def _joined(frames: Mapping[str, bytes]) -> bytes:
    return b"".join(frames.values())


def _not_yet(*_: object) -> bool:
    return False
