"""Notes that operators write on a room, a user or a moment: events of the kind `note`, which can be edited."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from roompulse.clock import Clock
from roompulse.errors import BadRequest, Forbidden, NotFound
from roompulse.events.contract import NoteStore
from roompulse.events.model import Shown, TimelineEvent
from roompulse.report.ids import id_fault, text_fault

LONGEST = 500
"""Characters of a note."""

MOST = 1000
"""Notes on a room."""

NoteText = Annotated[str, Meta(max_length=LONGEST)]


class Note(Struct, frozen=True):
    """A note by an operator on a room or one of its users."""

    id: int
    """Of this note in this room."""
    room_id: str
    """The room that it is on."""
    user_id: str | None
    """The user concerned."""
    time: float
    """The moment of the note, Unix seconds."""
    text: str
    """What was written."""
    by: str
    """Who wrote it; `anonymous` where access control is off."""


class Author(Struct, frozen=True):
    """The author; `edits_all` says whether other authors' notes may be edited too."""

    name: str
    edits_all: bool

    def may_edit(self, note: Note) -> bool:
        return self.edits_all or self.name == note.by


class Notes:
    """`show` is called with a saved change of a room's events; `is_known` says whether a room exists.

    Methods raise StoreError when the database fails.
    """

    def __init__(
        self,
        store: NoteStore,
        show: Callable[[Shown], Awaitable[None]],
        is_known: Callable[[str], Awaitable[bool]],
        clock: Clock,
    ) -> None:
        self._store = store
        self._show = show
        self._is_known = is_known
        self._clock = clock

    async def of_room(self, room_id: str) -> list[Note]:
        """Oldest first."""
        return [_note(number, room_id, event) for number, event in await self._store.notes(room_id, MOST)]

    async def add(
        self, room_id: str, text: str, author: Author, *, user_id: str | None = None, at: float | None = None
    ) -> Note:
        """Write a note about the present, or about the moment `at` (Unix seconds).

        Raises BadRequest that names the field, and NotFound for an unknown room.
        """
        now = self._clock()
        if at is not None and at > now:
            raise BadRequest("$.time: must not be in the future")
        if user_id is not None and (fault := id_fault(user_id)):
            raise BadRequest(f"$.user_id: {fault}")
        time = round(now if at is None else at, 3)
        event = TimelineEvent(time, "note", user_id, text=_checked(text), detail=author.name)
        if not await self._is_known(room_id):
            raise NotFound(f"room_id: unknown room {room_id!r}")
        number = await self._store.add_note(room_id, event, MOST)
        if number is None:
            raise BadRequest(f"$: the room has {MOST} notes, the maximum: remove some first")
        await self._show(Shown(room_id, event))
        return _note(number, room_id, event)

    async def edit(self, room_id: str, number: int, text: str, author: Author) -> Note:
        """Raises NotFound, BadRequest that names the field, and Forbidden for another author's note."""
        before = await self._editable(room_id, number, author)
        after = replace(before, text=_checked(text))
        await self._store.change_note(number, after.text)
        await self._show(Shown(room_id, after, instead_of=before))
        return _note(number, room_id, after)

    async def remove(self, room_id: str, number: int, author: Author) -> None:
        """Raises NotFound, and Forbidden for another author's note."""
        before = await self._editable(room_id, number, author)
        await self._store.remove_note(number)
        await self._show(Shown(room_id, None, instead_of=before))

    async def _editable(self, room_id: str, number: int, author: Author) -> TimelineEvent:
        event = await self._store.note(room_id, number)
        if event is None:
            raise NotFound(f"id: there is no note {number} on this room")
        if not author.may_edit(_note(number, room_id, event)):
            raise Forbidden(f"only {event.detail} and admins may edit this note")
        return event


def note_number(text: str) -> int:
    """The number of a note in a path or a form; raises NotFound for an invalid one."""
    if text.isascii() and text.isdigit() and len(text) <= _DIGITS:
        return int(text)
    raise NotFound(f"id: there is no note {text[:_DIGITS]!r}")


_DIGITS = 18
"""So many fit an integer of the database."""


def _checked(text: str) -> str:
    text = text.strip()
    if not text:
        raise BadRequest("$.text: must not be empty")
    if len(text) > LONGEST:
        raise BadRequest(f"$.text: must have at most {LONGEST} characters")
    if fault := text_fault(text):
        raise BadRequest(f"$.text: {fault}")
    return text


def _note(number: int, room_id: str, event: TimelineEvent) -> Note:
    return Note(number, room_id, event.user_id, event.time, event.text, event.detail or "")
