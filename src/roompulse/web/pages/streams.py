"""The streams of the pages: each sends the sections of its page, and then those that changed."""

from litestar import route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec.structs import replace

from roompulse.web.http.problems import AnyRequest
from roompulse.web.http.routes import GET, STREAM
from roompulse.web.http.urls import decode_id
from roompulse.web.pages.database_notice import DatabaseNotice
from roompulse.web.pages.ingest_health import IngestHealthPage
from roompulse.web.pages.query import IntakeQuery, page_number, rooms_query, user_query
from roompulse.web.pages.rooms import Overview
from roompulse.web.pages.views import PageView, Views
from roompulse.web.sse.stream import EventStream, EventStreams


def page_stream_routes(
    streams: EventStreams, overview: Overview, views: Views, intake: IngestHealthPage, notice: DatabaseNotice
) -> list[HTTPRouteHandler]:
    def stream(view: PageView) -> EventStream:
        return EventStream(streams, notice.above(view))

    @route("/stream", http_method=GET, opt=STREAM)
    async def stream_rooms_page(request: AnyRequest) -> EventStream:
        return stream(overview.view(rooms_query(request.query_params)))

    @route("/ingest/stream", http_method=GET, opt=STREAM)
    async def stream_intake_page(request: AnyRequest) -> EventStream:
        return stream(intake.view(IntakeQuery(page=page_number(request.query_params))))

    @route("/rooms/{room_id:str}/stream", http_method=GET, opt=STREAM)
    async def stream_room_page(request: AnyRequest, room_id: FromPath[str]) -> EventStream:
        # A page of the past has no stream: what comes here is of the present.
        query = replace(user_query(request.query_params), at=None)
        return stream(views.room(decode_id("room_id", room_id), query))

    @route("/rooms/{room_id:str}/users/{user_id:str}/stream", http_method=GET, opt=STREAM)
    async def stream_user_page(room_id: FromPath[str], user_id: FromPath[str]) -> EventStream:
        return stream(views.user(decode_id("room_id", room_id), decode_id("user_id", user_id)))

    return [stream_rooms_page, stream_intake_page, stream_room_page, stream_user_page]
