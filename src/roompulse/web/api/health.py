"""GET /healthz and /readyz, for whatever watches the process: whether it is alive, and whether it can take reports."""

from collections.abc import Callable
from typing import Protocol

import msgspec
from litestar import Response, route
from litestar.handlers import HTTPRouteHandler

from roompulse.clock import Clock
from roompulse.web.http.routes import FOR_ANYBODY, GET

RETRY_AFTER = 2
"""Seconds."""


class Writing(Protocol):
    @property
    def failing_since(self) -> float | None:
        """When writes to the database began to fail (Unix seconds); None while they succeed."""
        ...


def ready_routes(store: Writing, is_closing: Callable[[], bool], clock: Clock) -> list[HTTPRouteHandler]:
    """The routes. Neither writes: whoever asks often would cost commits."""

    @route("/healthz", http_method=GET, opt=FOR_ANYBODY)
    async def get_health() -> Response[bytes]:
        return _answer(200, {"status": "ok"})

    @route("/readyz", http_method=GET, opt=FOR_ANYBODY)
    async def get_readiness() -> Response[bytes]:
        if is_closing():
            return _answer(503, {"status": "stopping", "reason": "the server is shutting down"})
        if (since := store.failing_since) is not None:
            seconds = max(0, round(clock() - since))
            return _answer(503, {"status": "failing", "reason": f"the database cannot be written, since {seconds} s"})
        return _answer(200, {"status": "ok"})

    return [get_health, get_readiness]


def _answer(status: int, body: dict[str, str]) -> Response[bytes]:
    headers = {"Retry-After": str(RETRY_AFTER)} if status == 503 else {}
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json", headers=headers)
