"""/ingest: what each SDK version reported recently, for SDK authors and operators."""

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler

from roompulse.intake.by_version import SAMPLED_REPORTS, SAMPLED_STREAMS
from roompulse.intake.intake import Intake
from roompulse.intake.refusals import WINDOW_MINUTES
from roompulse.rooms.rated_samples import LATE
from roompulse.web.html.paging import paged
from roompulse.web.html.templates import Templates
from roompulse.web.http.routes import GET, STREAM, AnyRequest
from roompulse.web.pages.layout import Layout
from roompulse.web.pages.query import IntakeQuery, page_number
from roompulse.web.pages.view import PageView, Sections
from roompulse.web.sse.stream import EventStream

PER_PAGE = 20
"""SDK versions per page; each has up to MOST_REASONS lines."""


class IngestHealthPage:
    def __init__(self, intake: Intake, templates: Templates) -> None:
        self._intake = intake
        self._templates = templates

    def view(self, query: IntakeQuery) -> PageView:
        return PageView(("ingest", query), None, lambda: self._sections(query))

    def _sections(self, query: IntakeQuery) -> Sections:
        versions = self._intake.health()
        totals = self._templates.render(
            "partials/intake_totals.html",
            accepted=sum(version.taken for version in versions),
            rejected=sum(version.refused for version in versions),
            with_issues=sum(version.is_odd for version in versions),
            versions=len(versions),
        )
        return {
            "intake-totals": totals,
            "intake": self._templates.render(
                "partials/intake.html",
                list=paged(versions, query.page, PER_PAGE),
                query=query,
                late_from=LATE,
                minutes=WINDOW_MINUTES,
                looked_at=SAMPLED_REPORTS,
                streams_looked_at=SAMPLED_STREAMS,
            ),
        }


def ingest_health_routes(page: IngestHealthPage, layout: Layout) -> list[HTTPRouteHandler]:
    @route("/ingest", http_method=GET)
    async def get_ingest_page(request: AnyRequest) -> Response[str]:
        query = IntakeQuery(page=page_number(request.query_params))
        sections = await layout.render(page.view(query))
        return await layout.answer(
            request, "ingest.html", sections, stream=query.url("ingest/stream"), minutes=WINDOW_MINUTES
        )

    @route("/ingest/stream", http_method=GET, opt=STREAM)
    async def stream_ingest_page(request: AnyRequest) -> EventStream:
        return layout.stream(request, page.view(IntakeQuery(page=page_number(request.query_params))))

    return [get_ingest_page, stream_ingest_page]
