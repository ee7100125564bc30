"""The newest events of a room, kept for its viewers."""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from roompulse.events.model import TimelineEvent

TAIL = 50


class Recorded(NamedTuple):
    """An event with its number, which grows, and its place in the tail of its room, that of the one TAIL before.

    It takes the place of the event `instead_of`, a note that was edited or, where `event` is None, removed.
    """

    number: int
    place: int
    event: TimelineEvent | None
    instead_of: TimelineEvent | None = None


class Tail:
    """The newest events of a room."""

    __slots__ = ("_known", "recorded")

    def __init__(self, recorded: Iterable[Recorded] = ()) -> None:
        self.recorded = deque(recorded, maxlen=TAIL)
        self._known = {one.event for one in self.recorded}

    def __contains__(self, event: TimelineEvent) -> bool:
        return event in self._known

    def append(self, number: int, event: TimelineEvent | None, instead_of: TimelineEvent | None) -> None:
        place = 0
        if self.recorded:
            place = (self.recorded[-1].place + 1) % TAIL
            if len(self.recorded) == TAIL:
                self._known.discard(self.recorded[0].event)
        self.recorded.append(Recorded(number, place, event, instead_of))
        self._known.add(event)
