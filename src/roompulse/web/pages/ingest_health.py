"""/ingest: what SDKs posted of late, by SDK version, for their authors and for operators."""

from collections.abc import Mapping

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler

from roompulse.intake.by_version import LOOKED_AT, STREAMS_LOOKED_AT
from roompulse.intake.intake import Intake
from roompulse.intake.refusals import WINDOW_MINUTES
from roompulse.web.html.templates import Templates
from roompulse.web.http.compression import COMPRESSED
from roompulse.web.http.problems import AnyRequest
from roompulse.web.http.routes import GET
from roompulse.web.pages.layout import Layout
from roompulse.web.pages.query import IntakeQuery, page_number
from roompulse.web.pages.room import paged
from roompulse.web.pages.views import PageView

PER_PAGE = 20
"""SDK versions of a page; each has up to MOST_REASONS lines."""


class IngestHealthPage:
    def __init__(self, intake: Intake, templates: Templates) -> None:
        self._intake = intake
        self._templates = templates

    def view(self, query: IntakeQuery) -> PageView:
        return PageView(("ingest", query), None, lambda: self._sections(query))

    def _sections(self, query: IntakeQuery) -> Mapping[str, str]:
        versions = self._intake.health()
        totals = self._templates.render(
            "partials/intake_totals.html",
            taken=sum(version.taken for version in versions),
            refused=sum(version.refused for version in versions),
            odd=sum(version.is_odd for version in versions),
            versions=len(versions),
        )
        return {
            "intake-totals": totals,
            "intake": self._templates.render(
                "partials/intake.html",
                list=paged(versions, query.page, PER_PAGE),
                query=query,
                minutes=WINDOW_MINUTES,
                looked_at=LOOKED_AT,
                streams_looked_at=STREAMS_LOOKED_AT,
            ),
        }


def intake_routes(page: IngestHealthPage, layout: Layout) -> list[HTTPRouteHandler]:
    @route("/ingest", http_method=GET, middleware=[COMPRESSED])
    async def get_intake_page(request: AnyRequest) -> Response[str]:
        query = IntakeQuery(page=page_number(request.query_params))
        sections = page.view(query).sections()
        return layout.answer(
            request, "ingest.html", sections, stream=query.url("/ingest/stream"), minutes=WINDOW_MINUTES
        )

    return [get_intake_page]
