"""What the rest of the program needs of a hub. `local.py` serves the viewers of this process."""

from collections.abc import Hashable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from roompulse.hub.mailbox import Mailbox

Frames = Mapping[str, bytes]
"""Server-sent events by target. Each is the whole state of its target, so that only the newest one counts."""


class View(Protocol):
    """What some viewers look at. Viewers whose views have the same key get the same bytes."""

    @property
    def key(self) -> Hashable: ...

    @property
    def room_id(self) -> str | None:
        """The room that the view shows, or None if it shows all rooms."""
        ...

    @property
    def gone(self) -> Frames:
        """What is sent when there is nothing left to show, that is when `render` begins to return no frames."""
        ...

    def render(self) -> Frames:
        """The view as it is now, one frame for each of its targets."""
        ...


class Hub(Protocol):
    @property
    def viewers(self) -> int:
        """How many viewers are subscribed."""
        ...

    def subscribe(self, view: View) -> AbstractContextManager[Mailbox]:
        """A mailbox that holds the whole view first, and then each change, until the context ends.

        Raises Unavailable when there are too many viewers, or the hub is closed.
        """
        ...

    def publish(self, room_ids: Iterable[str]) -> None:
        """Say that these rooms changed, started or ended."""
        ...

    def refresh(self, *, everywhere: bool = False) -> None:
        """Say that figures over all rooms changed, as time passed, or something that every page shows."""
        ...

    def close(self) -> None:
        """End every mailbox once it is read, and take no more subscriptions."""
        ...
