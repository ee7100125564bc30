"""Paths of pages and ids in them. Paths are relative to the root of the application, which `<base>` of a page names.

An id may hold a `/`, so paths are routed percent-encoded (web/application.py), then decoded.
"""

from urllib.parse import quote, unquote_to_bytes

from litestar.types import Scope

from roompulse.errors import NotFound
from roompulse.report.ids import id_fault


def base_of(scope: Scope) -> str:
    """Path of the application's root as the client sees it, with a `/` at its end."""
    prefix: str = scope["state"]["prefix"]
    return f"{prefix}/"


def decode_id(name: str, segment: str) -> str:
    """The id in a path segment; raises NotFound, by the parameter's `name`, for an invalid one."""
    try:
        value = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        raise NotFound(f"{name}: not percent-encoded UTF-8") from None
    if fault := id_fault(value):
        raise NotFound(f"{name}: {fault}")
    return value


def encode_id(value: str) -> str:
    """An id as a path segment."""
    return quote(value, safe="")


def room_path(room_id: str, at: float | None = None) -> str:
    """The page of a room, or of the room as it was at the time `at` (Unix seconds)."""
    return f"rooms/{encode_id(room_id)}{_moment(at)}"


def user_path(room_id: str, user_id: str, at: float | None = None) -> str:
    return f"{room_path(room_id)}/users/{encode_id(user_id)}{_moment(at)}"


def notes_path(room_id: str) -> str:
    """The page of the notes on a room."""
    return f"{room_path(room_id)}/notes"


def call_path(room_id: str, started_at: float) -> str:
    """The report on the call that started at a time (Unix seconds)."""
    return f"calls/{encode_id(room_id)}/{number_in_url(started_at)}"


def history_path(room_id: str, user_id: str | None = None) -> str:
    """History of a room, or of one of its users."""
    return f"report/history/{encode_id(room_id)}" + ("" if user_id is None else f"/{encode_id(user_id)}")


def back_to(path: str) -> str:
    """The query of a form's action, which returns to the page with this path."""
    return f"?next={quote('/' + path)}"


def _moment(at: float | None) -> str:
    return "" if at is None else f"?at={number_in_url(at)}"


def number_in_url(value: float) -> str:
    """With milliseconds, the precision of times."""
    return f"{value:.3f}".rstrip("0").rstrip(".")
