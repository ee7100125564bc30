"""/calls: live and ended calls by name, time, score and duration; and users who were in ended ones, by name."""

from collections.abc import Mapping
from typing import Any

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect
from msgspec.structs import replace

from roompulse.calls.model import CallOrder, CallsQuery
from roompulse.calls.store import SqlCalls
from roompulse.errors import StoreError
from roompulse.store.reader import Reader
from roompulse.web.html.paging import Rows, page_count
from roompulse.web.html.templates import Templates
from roompulse.web.http.routes import GET, AnyRequest
from roompulse.web.pages.layout import Layout
from roompulse.web.pages.past import history_unavailable
from roompulse.web.pages.query import PageQuery, page_number, search_of

PER_PAGE = 50
LEFT_SHOWN = 20
"""Users of ended calls that a search for rooms shows."""

SORTS: Mapping[CallOrder, str] = {
    "ended": "Latest end",
    "score": "Lowest score",
    "duration": "Longest",
    "users": "Most users",
}


class CallsPageQuery(PageQuery, frozen=True):
    """Which calls to list: those with `q` in the id or name of the room or of a user, ignoring case."""

    q: str = ""
    sort: CallOrder = "ended"
    page: int = 1


def calls_page_query(parameters: Mapping[str, str]) -> CallsPageQuery:
    """The query of a URL; an invalid value counts as not given."""
    sort: CallOrder = next((known for known in SORTS if known == parameters.get("sort")), "ended")
    return CallsPageQuery(search_of(parameters), sort, page_number(parameters))


def was_ended(request: AnyRequest) -> Response[None] | None:
    """A redirect from `/?ended=1`, where ended rooms were listed before there was `/calls`."""
    if request.query_params.get("ended") != "1":
        return None
    return Redirect(calls_page_query(request.query_params).url("/calls"), status_code=301)


class CallsPage:
    def __init__(self, calls: SqlCalls, reader: Reader, templates: Templates) -> None:
        self._calls = calls
        self._reader = reader
        self._templates = templates

    async def rows(self, query: CallsPageQuery) -> Rows:
        """One page of the calls, the last one where there are fewer; raises StoreError."""
        wanted = CallsQuery(query.q, query.sort, offset=(query.page - 1) * PER_PAGE, limit=PER_PAGE)
        found = await self._reader.result(self._calls.find(wanted))
        last = page_count(found.count, PER_PAGE)
        if query.page > last:
            return await self.rows(replace(query, page=last))
        return Rows(found.calls, query.page, last, found.count)

    async def left(self, q: str) -> str:
        """The newest users of ended calls with `q` in their id or name, as HTML."""
        if not q:
            return ""
        try:
            rows = await self._reader.result(self._calls.left(q, LEFT_SHOWN))
        except StoreError as error:
            return history_unavailable(self._templates, error).html
        return self._templates.render("partials/left_users.html", rows=rows, q=q, SHOWN=LEFT_SHOWN)


def calls_page_routes(page: CallsPage, layout: Layout) -> list[HTTPRouteHandler]:
    @route("/calls", http_method=GET)
    async def get_calls_page(request: AnyRequest) -> Response[str]:
        query = calls_page_query(request.query_params)
        context: dict[str, Any] = {"query": query, "list": await page.rows(query), "sorts": SORTS}
        return await layout.answer(request, "calls.html", {}, per_page=PER_PAGE, **context)

    return [get_calls_page]
