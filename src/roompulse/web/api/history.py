"""GET /report/history: the snapshots of a room, and the samples that one of its users reported."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from itertools import islice
from typing import Any, TypeVar, cast

import msgspec
from litestar import route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.types import ASGIApp
from msgspec import Struct
from msgspec.structs import replace

from roompulse import __version__
from roompulse.clock import Clock
from roompulse.errors import BadRequest, NotFound
from roompulse.overview.query import LONGEST_SEARCH
from roompulse.pseudonyms.answers import hidden_samples
from roompulse.pseudonyms.model import Pseudonyms
from roompulse.pseudonyms.pages import PagePseudonyms
from roompulse.report.ids import id_fault
from roompulse.report.model import Direction
from roompulse.rooms.contract import LiveRooms
from roompulse.store.contract import DEFAULT_LIMIT, HistoryQuery, Steps, Store
from roompulse.store.packing import PackedSnapshots
from roompulse.store.reader import Reader
from roompulse.store.replay import Replay, StreamQuery
from roompulse.web.api.portions_answer import PortionsAnswer
from roompulse.web.http.envelope import success_in_portions
from roompulse.web.http.json_answer import JsonAnswer, etag_of, not_modified, tagged
from roompulse.web.http.routes import GET, AnyRequest
from roompulse.web.http.shared import share_of
from roompulse.web.http.times import parse_time
from roompulse.web.http.urls import decode_id

T = TypeVar("T")

MAX_LIMIT = 10_000
DEFAULT_RANGE = 900.0
"""Seconds of samples in the answer to a request without `from`."""

_LONGEST_SHOWN = 100
_DIRECTIONS: tuple[Direction, ...] = ("send", "recv")

_ENCODED_AT_ONCE, _PORTIONS_OF_A_STEP = 250, 4
"""Elements of a list: some hundred microseconds, in which no other thread runs."""


def history_routes(
    store: Store, past: Replay, pseudonyms: PagePseudonyms, reader: Reader, rooms: LiveRooms, clock: Clock
) -> list[HTTPRouteHandler]:
    @route("/report/history/{room_id:str}", http_method=GET)
    async def get_history(request: AnyRequest, room_id: FromPath[str]) -> ASGIApp:
        query = history_query(decode_id("room_id", room_id), request)
        snapshots = await reader.result(store.history(query))
        if snapshots is None and rooms.get(query.room_id) is None:
            raise NotFound(f"room_id: the room {query.room_id!r} has no retained history")
        if isinstance(snapshots, PackedSnapshots) and len(snapshots) > _ENCODED_AT_ONCE * _PORTIONS_OF_A_STEP:
            return await _packed_answer(request, reader, snapshots)
        return await list_answer(request, reader, snapshots or [])

    @route("/report/history/{room_id:str}/{user_id:str}", http_method=GET)
    async def get_user_history(request: AnyRequest, room_id: FromPath[str], user_id: FromPath[str]) -> ASGIApp:
        shown, names = decode_id("user_id", user_id), await pseudonyms.of(share_of(request.scope))
        query = stream_query(decode_id("room_id", room_id), shown, request, clock())
        if names:
            query = _of_real_ids(query, names)
        samples = await reader.result(past.samples(query))
        if not samples and not await past.visits(query.room_id, query.reporter_id, clock()):
            raise NotFound(f"user_id: no data of {shown!r} in this room is retained")
        if names:
            samples = hidden_samples(names, samples, query.reporter_id)
        return await list_answer(request, reader, samples)

    return [get_history, get_user_history]


def _of_real_ids(query: StreamQuery, names: Pseudonyms) -> StreamQuery:
    """A query by the ids on a shared page; raises NotFound for one that is not there."""
    return replace(
        query,
        reporter_id=names.id_of(query.reporter_id),
        about=None if query.about is None else names.id_of(query.about),
        stream_id=None if query.stream_id is None else names.stream_of(query.stream_id),
        measured_by=None if query.measured_by is None else names.reporter_of(query.measured_by),
    )


async def list_answer(request: AnyRequest, reader: Reader, data: Sequence[Any]) -> ASGIApp:
    """A possibly long list as `data`: encoded in the reader's thread, and sent in portions."""
    etag, portions = await reader.result(_encoded(data))
    if answer := not_modified(request, etag):
        return answer
    if len(portions) <= _PORTIONS_OF_A_STEP:
        return JsonAnswer(b"".join(portions), headers=tagged(etag))
    # It takes megabytes until it is sent, so the number of such answers is bounded.
    headers = {"Content-Type": "application/json", **tagged(etag)}
    return PortionsAnswer(reader.place(), _each(portions), headers)


def _encoded(data: Sequence[Any]) -> Steps[tuple[str, list[bytes]]]:
    """The tag and the portions of an answer."""
    portions: list[bytes] = []
    for portion in success_in_portions(data, _ENCODED_AT_ONCE):
        if portions and len(portions) % _PORTIONS_OF_A_STEP == 0:
            yield
        portions.append(portion)
    return etag_of(portions), portions


async def _each(portions: list[bytes]) -> AsyncGenerator[bytes, None]:
    for portion in portions:
        yield portion


async def _packed_answer(request: AnyRequest, reader: Reader, snapshots: PackedSnapshots) -> ASGIApp:
    """The same of many snapshots, each portion encoded when the one before is sent; tagged by what is stored."""
    etag = await reader.run(lambda: etag_of((__version__.encode(), *snapshots.content())))
    if answer := not_modified(request, etag):
        return answer
    headers = {"Content-Type": "application/json", **tagged(etag)}
    return PortionsAnswer(reader.place(), _encoded_in_steps(reader, snapshots), headers)


async def _encoded_in_steps(reader: Reader, snapshots: PackedSnapshots) -> AsyncGenerator[bytes, None]:
    portions = success_in_portions(snapshots, _ENCODED_AT_ONCE)
    steps = iter(lambda: list(islice(portions, _PORTIONS_OF_A_STEP)), [])
    async with aclosing(reader.portions(steps)) as lists:
        async for some in lists:
            for portion in some:
                yield portion


def history_query(room_id: str, request: AnyRequest) -> HistoryQuery:
    """The query parameters of a room's history; raises BadRequest that names an invalid one."""
    span = requested_span(request)
    return HistoryQuery(room_id, span.start, span.end, requested_step(request), requested_limit(request))


def stream_query(room_id: str, user_id: str, request: AnyRequest, now: float) -> StreamQuery:
    """The query parameters of a user's history; raises BadRequest that names an invalid one."""
    span = requested_span(request)
    end = now if span.end is None else min(span.end, now)
    return StreamQuery(
        room_id,
        user_id,
        start=end - DEFAULT_RANGE if span.start is None else span.start,
        end=end,
        about=requested_id(request, "about"),
        stream_id=requested_id(request, "stream_id"),
        direction=_direction(request),
        step=requested_step(request),
        limit=requested_limit(request),
        measured_by=requested_id(request, "reporter_id"),
    )


class Span(Struct, frozen=True):
    """From `start` to `end`, Unix seconds; None where it is not bounded."""

    start: float | None
    end: float | None


def requested_span(request: AnyRequest, prefix: str = "") -> Span:
    """The parameters `from` and `to`, whose names begin with `prefix`; raises BadRequest that names an invalid one."""
    span = Span(_time(request, f"{prefix}from"), _time(request, f"{prefix}to"))
    if span.start is not None and span.end is not None and span.start > span.end:
        raise BadRequest(f"{prefix}from: must not be later than {prefix}to")
    return span


def _time(request: AnyRequest, name: str) -> float | None:
    text: str | None = request.query_params.get(name)
    return None if text is None else parse_time(name, text)


def requested_step(request: AnyRequest) -> float | None:
    """The parameter `step`, seconds; raises BadRequest."""
    return _number(request, "step", low=1, high=10**9)


def requested_limit(request: AnyRequest, default: int = DEFAULT_LIMIT, most: int = MAX_LIMIT) -> int:
    """The parameter `limit`; raises BadRequest."""
    return requested_count(request, "limit", low=1, high=most, default=default)


def requested_count(request: AnyRequest, name: str, *, low: int, high: int, default: int) -> int:
    """A parameter that is a whole number; raises BadRequest."""
    count = _number(request, name, low=low, high=high)
    if count is not None and not count.is_integer():
        raise BadRequest(f"{name}: must be a whole number, not {count}")
    return default if count is None else int(count)


def _number(request: AnyRequest, name: str, *, low: float, high: float) -> float | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        value = msgspec.json.decode(text, type=float)
    except msgspec.DecodeError:
        raise BadRequest(f"{name}: must be a number, not {shown(text)}") from None
    if not low <= value <= high:
        raise BadRequest(f"{name}: must be between {low:.15g} and {high:.15g}, not {shown(text)}")
    return value


def requested_id(request: AnyRequest, name: str) -> str | None:
    """A parameter that is an id; raises BadRequest."""
    text: str | None = request.query_params.get(name)
    if text is not None and (fault := id_fault(text)):
        raise BadRequest(f"{name}: {fault}")
    return text


def requested_search(request: AnyRequest) -> str:
    """The parameter `q`; raises BadRequest for one that is too long."""
    text: str = request.query_params.get("q", "")
    if len(text) > LONGEST_SEARCH:
        raise BadRequest(f"q: must have at most {LONGEST_SEARCH} characters, not {len(text)}")
    return text.strip()


def _direction(request: AnyRequest) -> Direction | None:
    return requested_one_of(request, "direction", _DIRECTIONS)


def requested_one_of(request: AnyRequest, name: str, known: Sequence[T]) -> T | None:
    """A parameter that is one of several words; raises BadRequest."""
    text = request.query_params.get(name)
    if text is None or text in known:
        return cast("T | None", text)
    words = " or ".join(map(str, known)) if len(known) == 2 else ", ".join(map(str, known))
    raise BadRequest(f"{name}: must be {words}, not {shown(text)}")


def shown(text: str) -> str:
    """An invalid value as an error quotes it."""
    return repr(text[:_LONGEST_SHOWN])
