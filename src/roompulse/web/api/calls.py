"""GET /report/calls: live and ended calls, and the report on one."""

from collections.abc import Sequence
from functools import partial
from typing import get_args

from litestar import route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from roompulse.calls.model import CallOrder, CallReport, CallsQuery
from roompulse.calls.reports import CallReports
from roompulse.calls.store import SqlCalls
from roompulse.errors import NotFound
from roompulse.pseudonyms.answers import hidden_report
from roompulse.pseudonyms.model import Pseudonyms
from roompulse.pseudonyms.pages import PagePseudonyms
from roompulse.rooms.contract import LiveRooms
from roompulse.store.reader import Reader
from roompulse.web.api.history import (
    requested_count,
    requested_limit,
    requested_one_of,
    requested_search,
    requested_span,
)
from roompulse.web.api.overview import DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET
from roompulse.web.http.envelope import success
from roompulse.web.http.json_answer import JsonAnswer, hashed_answer
from roompulse.web.http.routes import GET, AnyRequest
from roompulse.web.http.shared import share_of
from roompulse.web.http.times import decode_time
from roompulse.web.http.urls import decode_id

CALL_ORDERS: Sequence[CallOrder] = get_args(CallOrder)


def call_routes(
    calls: SqlCalls, reports: CallReports, pseudonyms: PagePseudonyms, reader: Reader, rooms: LiveRooms
) -> list[HTTPRouteHandler]:
    @route("/report/calls", http_method=GET)
    async def get_calls(request: AnyRequest) -> JsonAnswer:
        return hashed_answer(request, success(await reader.result(calls.find(calls_query(request)))))

    @route("/report/calls/{room_id:str}", http_method=GET)
    async def get_calls_of_room(request: AnyRequest, room_id: FromPath[str]) -> JsonAnswer:
        decoded = decode_id("room_id", room_id)
        found = await reader.result(calls.find(calls_query(request, decoded)))
        if not found.count and rooms.get(decoded) is None:
            raise NotFound(f"room_id: no such call in {decoded!r} is retained")
        return hashed_answer(request, success(found))

    @route("/report/calls/{room_id:str}/{started_at:str}", http_method=GET)
    async def get_call(request: AnyRequest, room_id: FromPath[str], started_at: FromPath[str]) -> JsonAnswer:
        decoded, at = decode_id("room_id", room_id), decode_time("started_at", started_at)
        if (report := await reports.of(decoded, at)) is None:
            raise NotFound(f"started_at: no call in {decoded!r} that started then is retained")
        names = await pseudonyms.of(share_of(request.scope))
        return await reader.run(partial(_report_answer, request, names, report))

    return [get_calls, get_calls_of_room, get_call]


def _report_answer(request: AnyRequest, names: Pseudonyms | None, report: CallReport) -> JsonAnswer:
    """Made off the event loop: a call may have had thousands of users."""
    return hashed_answer(request, success(hidden_report(names, report) if names else report))


def calls_query(request: AnyRequest, room_id: str | None = None) -> CallsQuery:
    """Raises BadRequest that names an invalid parameter."""
    span = requested_span(request)
    return CallsQuery(
        requested_search(request),
        requested_one_of(request, "order", CALL_ORDERS) or CALL_ORDERS[0],
        span.start,
        span.end,
        room_id,
        requested_count(request, "offset", low=0, high=MAX_OFFSET, default=0),
        requested_limit(request, DEFAULT_LIMIT, MAX_LIMIT),
    )
