"""/report/notes/{room_id}: operators' notes on a room."""

from litestar import route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from roompulse.alerts.validation import decode
from roompulse.events.notes import Author, Notes, NoteText, note_number
from roompulse.web.api.alerts import JsonBodies, body_time, created
from roompulse.web.http.authentication import caller_of, name_of
from roompulse.web.http.envelope import ACKNOWLEDGED, success
from roompulse.web.http.json_answer import JsonAnswer, hashed_answer
from roompulse.web.http.routes import DELETE, FOR_AUTHORS, GET, POST, PUT, AnyRequest
from roompulse.web.http.urls import decode_id


class NewNote(Struct, forbid_unknown_fields=True):
    """A note to write."""

    text: NoteText
    """At least one character that is no blank."""
    user_id: str | None = None
    """The user concerned; None: the room."""
    time: float | str | None = None
    """The moment of the note: Unix seconds, Unix milliseconds or ISO 8601 with a zone; without it, now."""


class NoteEdit(Struct, forbid_unknown_fields=True):
    text: NoteText
    """At least one character that is no blank."""


def _author_of(request: AnyRequest) -> Author:
    caller = caller_of(request)
    return Author(name_of(caller), caller.may_manage)


def note_routes(notes: Notes, bodies: JsonBodies) -> list[HTTPRouteHandler]:
    @route("/report/notes/{room_id:str}", http_method=GET)
    async def get_notes(request: AnyRequest, room_id: FromPath[str]) -> JsonAnswer:
        return hashed_answer(request, success(await notes.of_room(decode_id("room_id", room_id))))

    @route("/report/notes/{room_id:str}", http_method=POST, opt=FOR_AUTHORS)
    async def add_note(request: AnyRequest, room_id: FromPath[str]) -> JsonAnswer:
        decoded, body = decode_id("room_id", room_id), decode(await bodies.read(request), NewNote)
        at = None if body.time is None else body_time("time", body.time)
        return created(await notes.add(decoded, body.text, _author_of(request), user_id=body.user_id, at=at))

    @route("/report/notes/{room_id:str}/{note_id:str}", http_method=PUT, opt=FOR_AUTHORS)
    async def edit_note(request: AnyRequest, room_id: FromPath[str], note_id: FromPath[str]) -> JsonAnswer:
        decoded, body = decode_id("room_id", room_id), decode(await bodies.read(request), NoteEdit)
        return JsonAnswer(success(await notes.edit(decoded, note_number(note_id), body.text, _author_of(request))))

    @route("/report/notes/{room_id:str}/{note_id:str}", http_method=DELETE, status_code=200, opt=FOR_AUTHORS)
    async def remove_note(request: AnyRequest, room_id: FromPath[str], note_id: FromPath[str]) -> JsonAnswer:
        await notes.remove(decode_id("room_id", room_id), note_number(note_id), _author_of(request))
        return JsonAnswer(ACKNOWLEDGED)

    return [get_notes, add_note, edit_note, remove_note]
