"""What the rest of the program needs of a hub. `local.py` serves the viewers of this process."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from roompulse.hub.mailbox import Mailbox

T = TypeVar("T")

Frames = Mapping[str, bytes]
"""Server-sent events by target. Each is the whole state of its target, so that only the newest one counts."""


class View(Protocol):
    """The content that viewers subscribe to. Viewers of views with equal keys get the same bytes."""

    @property
    def key(self) -> Hashable: ...

    @property
    def room_id(self) -> str | None:
        """The room that the view shows, or None if it shows all rooms."""
        ...

    @property
    def gone(self) -> Frames:
        """The last frames, sent when `render` begins to return no frames."""
        ...

    def render(self) -> Frames:
        """The current view, one frame for each of its targets."""
        ...


class Hub(Protocol):
    @property
    def viewers(self) -> int:
        """The number of subscribed viewers."""
        ...

    def subscribe(self, view: View) -> AbstractContextManager[Mailbox]:
        """A mailbox with the whole view first, and then each change, until the context ends.

        Raises Unavailable when there are too many viewers or different views, or the hub is closed.
        """
        ...

    async def render(self, render: Callable[[], T]) -> T:
        """The result of `render`, in its turn among the views, so that requests and streams share the rendering time.

        Raises Unavailable when too many requests wait, or the hub is closed.
        """
        ...

    def publish(self, room_ids: Iterable[str]) -> None:
        """These rooms changed, started or ended."""
        ...

    def refresh(self, *, everywhere: bool = False) -> None:
        """Figures over all rooms changed by the passage of time or, `everywhere`, something that every page shows."""
        ...

    def close(self) -> None:
        """End every mailbox once it is read, and accept no more subscriptions."""
        ...
