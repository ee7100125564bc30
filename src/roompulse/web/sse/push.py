"""How the events of a stream leave: past ASGI, from a mailbox to its connection.

By ASGI, each event wakes a task for each viewer, which calls `send` through all that is wrapped around it, and is
copied into a chunk: more than half of the CPU of an event that many look at, and of the memory of a viewer. So a
connection offers itself as an extension of its scope, by the name EXTENSION, and a stream that began by ASGI goes on
there.
"""

from collections.abc import Callable
from typing import Any, Protocol

EXTENSION = "roompulse.outlet"


class PushChannel(Protocol):
    """A connection whose answer has begun, in chunks."""

    on_writable: Callable[[], object] | None
    """Is called when the client takes more again, after `write_chunk` said that it does not."""

    written: int
    """Bytes of all chunks so far, whatever they were the answer to."""

    def write_chunk(self, data: bytes) -> bool:
        """Write a chunk that is not empty, and say whether the client takes more now."""
        ...

    def wake(self) -> None:
        """Let `receive` of this request return."""
        ...


def push_channel_of(scope: Any) -> PushChannel:
    outlet: PushChannel = scope["extensions"][EXTENSION]
    return outlet
