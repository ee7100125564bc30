"""A page as the hub sees it: its sections, by the id of the element that holds each.

The first paint of a page includes its sections, and its stream sends each one when it has changed.
"""

from collections.abc import Callable, Hashable, Mapping

from msgspec import Struct

from roompulse.hub.contract import Frames
from roompulse.web.sse.events import partial

Sections = Mapping[str, str]
"""HTML by the id of the element that holds it."""


class PageView(Struct, frozen=True):
    """A page of the present: `sections` renders it as it is now. Without a `room_id` it shows all rooms."""

    key: Hashable
    room_id: str | None
    sections: Callable[[], Sections]
    gone: Frames = {}

    def render(self) -> Frames:
        return {target: partial(target, html) for target, html in self.sections().items()}
