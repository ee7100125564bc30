"""A call to try everything with: participants in one page, whose connections are real and can be made worse."""

import secrets

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler

from roompulse.web.answers import GET
from roompulse.web.compression import COMPRESSED
from roompulse.web.headers import permissions
from roompulse.web.pages import Layout
from roompulse.web.paths import room_path
from roompulse.web.problems import AnyRequest
from roompulse.web.query import UserQuery
from roompulse.web.views import Views


def demo_routes(views: Views, layout: Layout) -> list[HTTPRouteHandler]:
    @route("/demo/call", http_method=GET, middleware=[COMPRESSED])
    async def get_demo_call(request: AnyRequest) -> Response[str]:
        # Each who opens the page has a room of its own: two calls in one would report about each other's users.
        room_id = f"demo-call-{secrets.token_hex(3)}"
        query = UserQuery()
        sections = views.room(room_id, query).sections()
        stream = query.url(f"{room_path(room_id)}/stream")
        page = layout.answer(request, "demo/call.html", sections, stream=stream, room_id=room_id, query=query)
        page.headers["Permissions-Policy"] = permissions("autoplay", "camera", "microphone")
        return page

    return [get_demo_call]
