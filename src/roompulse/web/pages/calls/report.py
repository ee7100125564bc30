"""/calls/{room_id}/{started_at}: the report on one call, on two pages when it is printed."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from roompulse.calls.attendance import LETTERS
from roompulse.calls.model import CallReport, CallUser
from roompulse.calls.reports import CallReports
from roompulse.clock import Clock
from roompulse.errors import NotFound
from roompulse.pseudonyms.answers import hidden_report
from roompulse.pseudonyms.pages import PagePseudonyms
from roompulse.store.reader import Reader
from roompulse.web.html.sparklines import Segment, runs
from roompulse.web.http.routes import GET, AnyRequest
from roompulse.web.http.shared import share_of
from roompulse.web.http.times import decode_time
from roompulse.web.http.urls import decode_id
from roompulse.web.pages.layout import Layout

USERS_SHOWN, EVENTS_SHOWN = 40, 60
"""Users with the worst quality, and the newest events; JSON has all of them."""

_MINUTE = 60.0
_LEVELS = {letter: level for level, letter in LETTERS.items()}


class UserRow(Struct, frozen=True):
    """A user and the bar of its minutes, from the start to the end of the call."""

    user: CallUser
    bar: Sequence[Segment]


def user_rows(report: CallReport, end: float) -> Iterator[UserRow]:
    for user in report.users[:USERS_SHOWN]:
        yield UserRow(user, runs(_levels(user, report.started_at, end)))


def _levels(user: CallUser, start: float, end: float) -> Sequence[Any]:
    """The level of each minute of the call; None where the user was not there."""
    levels: list[Any] = [None] * max(1, round((end - start) / _MINUTE))
    for stay in user.stays:
        first = max(0, int((stay.joined - start) // _MINUTE))
        for place, letter in enumerate(stay.minutes[: len(levels) - first], start=first):
            levels[place] = _LEVELS[letter]
    return levels


def call_report_routes(
    reports: CallReports, pseudonyms: PagePseudonyms, reader: Reader, layout: Layout, clock: Clock
) -> list[HTTPRouteHandler]:
    @route("/calls/{room_id:str}/{started_at:str}", http_method=GET)
    async def get_call_report(request: AnyRequest, room_id: FromPath[str], started_at: FromPath[str]) -> Response[str]:
        decoded, at = decode_id("room_id", room_id), decode_time("started_at", started_at)
        if (report := await reports.of(decoded, at)) is None:
            raise NotFound(f"started_at: no call in {decoded!r} that started then is retained")
        if names := await pseudonyms.of(share_of(request.scope)):
            report = await reader.run(partial(hidden_report, names, report))
        end = clock() if report.ended_at is None else report.ended_at
        rows = list(user_rows(report, end))
        context: dict[str, Any] = {"report": report, "rows": rows, "end": end, "events": report.events[-EVENTS_SHOWN:]}
        return await layout.answer(request, "call.html", {}, room_id=decoded, **context)

    return [get_call_report]
