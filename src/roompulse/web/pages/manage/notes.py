"""/rooms/{room_id}/notes: the notes on a room, editable by their authors; new ones are written on the room's page."""

from typing import Any

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from roompulse.errors import Problem
from roompulse.events.notes import Author, Notes, note_number
from roompulse.web.http.authentication import caller_of, name_of
from roompulse.web.http.routes import FOR_AUTHORS, GET, POST, AnyRequest
from roompulse.web.http.times import parse_time
from roompulse.web.http.urls import decode_id, notes_path
from roompulse.web.pages.forms import Forms
from roompulse.web.pages.layout import Layout
from roompulse.web.pages.sign_in import to, wanted


def note_page_routes(notes: Notes, forms: Forms, layout: Layout) -> list[HTTPRouteHandler]:
    async def page(request: AnyRequest, room_id: str, problem: Problem | None = None) -> Response[str]:
        author = _author_of(request)
        found = [(note, author.may_edit(note)) for note in reversed(await notes.of_room(room_id))]
        status, error = (problem.status, problem.message.removeprefix("$.")) if problem else (200, None)
        return await layout.answer(request, "notes.html", {}, status=status, room_id=room_id, notes=found, error=error)

    @route("/rooms/{room_id:str}/notes", http_method=GET, opt=FOR_AUTHORS)
    async def get_notes_page(request: AnyRequest, room_id: FromPath[str]) -> Response[str]:
        return await page(request, decode_id("room_id", room_id))

    @route("/rooms/{room_id:str}/notes", http_method=POST, opt=FOR_AUTHORS)
    async def post_note(request: AnyRequest, room_id: FromPath[str]) -> Response[Any]:
        decoded, form = decode_id("room_id", room_id), await forms.read(request)
        try:
            at = parse_time("time", form["at"]) if form.get("at") else None
            user_id = form.get("user") or None
            await notes.add(decoded, form.get("text", ""), _author_of(request), user_id=user_id, at=at)
        except Problem as problem:
            return await page(request, decoded, problem)
        return to(wanted(request))

    @route("/rooms/{room_id:str}/notes/edit", http_method=POST, opt=FOR_AUTHORS)
    async def post_edit(request: AnyRequest, room_id: FromPath[str]) -> Response[Any]:
        decoded, form = decode_id("room_id", room_id), await forms.read(request)
        try:
            await notes.edit(decoded, note_number(form.get("id", "")), form.get("text", ""), _author_of(request))
        except Problem as problem:
            return await page(request, decoded, problem)
        return to(f"/{notes_path(decoded)}")

    @route("/rooms/{room_id:str}/notes/remove", http_method=POST, opt=FOR_AUTHORS)
    async def post_remove(request: AnyRequest, room_id: FromPath[str]) -> Response[Any]:
        decoded, form = decode_id("room_id", room_id), await forms.read(request)
        await notes.remove(decoded, note_number(form.get("id", "")), _author_of(request))
        return to(f"/{notes_path(decoded)}")

    return [get_notes_page, post_note, post_edit, post_remove]


def _author_of(request: AnyRequest) -> Author:
    caller = caller_of(request)
    return Author(name_of(caller), caller.may_manage)
