"""/demo/call: a call between participants in one page, whose connections are real and can be degraded."""

import re
import secrets
from typing import Any

import msgspec
from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from roompulse.access.keys import make_key
from roompulse.access.registry import AccessRegistry
from roompulse.access.tokens import sign_token
from roompulse.clock import Clock
from roompulse.errors import NotFound
from roompulse.web.http.headers import permissions
from roompulse.web.http.json_answer import JsonAnswer
from roompulse.web.http.routes import GET, AnyRequest
from roompulse.web.http.urls import encode_id, room_path
from roompulse.web.pages.layout import Layout
from roompulse.web.pages.query import UserQuery
from roompulse.web.pages.room import RoomPage

USERS = ("ada", "bo", "chen", "dara")

TOKEN_LIFE = 300
"""Seconds until a token of the demo call expires; the page fetches another one every minute."""


class DemoTokens:
    """Room tokens for the rooms of demo calls, signed by a key that is created with this process and stays in it."""

    def __init__(self, registry: AccessRegistry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        self._key, _ = make_key("token", "the demo call", clock())
        registry.adopt(self._key)

    def of(self, room_id: str) -> dict[str, str]:
        """Tokens by user; empty where reports need no token. Raises NotFound for a room that is not a demo call's."""
        if not re.fullmatch(r"demo-call-[0-9a-f]{6}", room_id):
            raise NotFound(f"room_id: {room_id!r} is not the room of a demo call")
        if not self._registry.asks_senders:
            return {}
        until = int(self._clock()) + TOKEN_LIFE
        return {user: sign_token(self._key, room_id, user, until) for user in USERS}


def demo_routes(rooms: RoomPage, layout: Layout, tokens: DemoTokens) -> list[HTTPRouteHandler]:
    @route("/demo/call", http_method=GET)
    async def get_demo_call(request: AnyRequest) -> Response[str]:
        # Each page has its own room: two calls in one room would report about each other's users.
        room_id = f"demo-call-{secrets.token_hex(3)}"
        query = UserQuery()
        sections = await layout.render(await rooms.view(room_id, query))
        stream = query.url(f"{room_path(room_id)}/stream")
        token_path = f"demo/call/tokens/{encode_id(room_id)}"
        context: dict[str, Any] = {"room_id": room_id, "query": query, "users": USERS, "token_path": token_path}
        page = await layout.answer(request, "demo/call.html", sections, stream=stream, **context)
        page.headers["Permissions-Policy"] = permissions("autoplay", "camera", "microphone")
        return page

    @route("/demo/call/tokens/{room_id:str}", http_method=GET)
    async def get_demo_tokens(room_id: FromPath[str]) -> JsonAnswer:
        return JsonAnswer(msgspec.json.encode(tokens.of(room_id)))

    return [get_demo_call, get_demo_tokens]
