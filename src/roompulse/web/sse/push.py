"""Sends the events of a stream outside ASGI, from a mailbox to its connection.

By ASGI, each event wakes a task for each viewer, which calls `send` through all of its wrappers: about thirty
times the CPU of a frame that many viewers share. So a connection may offer itself as an extension of its scope, by the
name EXTENSION: a stream that began by ASGI then continues there. Without the extension a stream uses only ASGI.
"""

from collections.abc import Callable
from typing import Any, Protocol

EXTENSION = "roompulse.push"


class PushChannel(Protocol):
    """A connection whose answer has begun, in chunks. It cuts off a client that does not read."""

    on_writable: Callable[[], object] | None
    """Is called when the client reads again, after `write_chunk` returned False."""

    on_closed: Callable[[], object] | None
    """Is called when the connection is lost."""

    closed: bool
    """Whether the connection is lost, or closes."""

    written: int
    """Bytes of all chunks so far, of all answers."""

    def write_chunk(self, data: bytes) -> bool:
        """Write a chunk that is not empty; returns whether another one may follow before `on_writable`."""
        ...


def push_channel_of(scope: Any) -> PushChannel | None:
    channel: PushChannel | None = (scope.get("extensions") or {}).get(EXTENSION)
    return channel
