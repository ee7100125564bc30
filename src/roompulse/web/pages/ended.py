"""/?ended=1: the rooms whose calls have ended."""

from typing import Any

from litestar import Response
from msgspec.structs import replace

from roompulse.store.contract import SessionQuery, SessionStore
from roompulse.web.html.paging import Rows, page_count
from roompulse.web.http.routes import AnyRequest
from roompulse.web.pages.layout import Layout
from roompulse.web.pages.query import ENDED_SORTS, EndedQuery

PER_PAGE = 50


class EndedPage:
    def __init__(self, sessions: SessionStore, layout: Layout) -> None:
        self._sessions = sessions
        self._layout = layout

    async def answer(self, request: AnyRequest, query: EndedQuery) -> Response[str]:
        rows = await self._rows(query)
        context: dict[str, Any] = {"query": query, "list": rows, "sorts": ENDED_SORTS, "per_page": PER_PAGE}
        return self._layout.answer(request, "ended.html", {}, **context)

    async def _rows(self, query: EndedQuery) -> Rows:
        """One page of the rooms that have ended, the last one where there are fewer; raises StoreError."""
        offset = (query.page - 1) * PER_PAGE
        rows, total = await self._sessions.ended(SessionQuery(query.q, query.sort, offset, PER_PAGE))
        last = page_count(total, PER_PAGE)
        if query.page > last:
            return await self._rows(replace(query, page=last))
        return Rows(rows, query.page, last, total)
