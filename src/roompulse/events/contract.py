"""What the rest of the program needs of stored events. `store/events.py` implements it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

from roompulse.events.model import EventQuery, TimelineEvent


class NoteStore(Protocol):
    """Notes are events of the kind `note`, each with the number of its row. Methods raise StoreError."""

    async def notes(self, room_id: str, limit: int) -> list[tuple[int, TimelineEvent]]:
        """The notes on a room, oldest first."""
        ...

    async def note(self, room_id: str, number: int) -> TimelineEvent | None: ...

    async def add_note(self, room_id: str, event: TimelineEvent, most: int) -> int | None:
        """Commit a note and return its number; None where the room has `most` of them already."""
        ...

    async def change_note(self, number: int, text: str) -> None: ...

    async def remove_note(self, number: int) -> None: ...


class EventStore(Protocol):
    """Methods raise StoreError when the database fails."""

    async def add(self, events: Sequence[tuple[str, TimelineEvent]]) -> None:
        """Commit these events of rooms, all or none."""
        ...

    async def find(self, query: EventQuery) -> list[TimelineEvent]:
        """Stored events, oldest first. Raises Unavailable for more than a portion where all places are in use."""
        ...

    def all(self, room_id: str, start: float, end: float) -> Iterator[Sequence[TimelineEvent]]:
        """All events of a room from `start` to `end` (Unix seconds, both included), oldest first, in portions.

        To be read in the thread of the reader; between two portions no transaction is open.
        """
        ...

    async def states(self, room_ids: Collection[str]) -> Mapping[str, Sequence[TimelineEvent]]:
        """The events of STATE_KINDS since the start of these rooms, and of all rooms that have not ended.

        Empty for a room that never started.
        """
        ...
