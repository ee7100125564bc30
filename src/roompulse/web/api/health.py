"""GET /healthz and /readyz, for process monitors: whether the server is alive, and whether it can accept reports."""

from collections.abc import Callable
from typing import Protocol

import msgspec
from litestar import route
from litestar.handlers import HTTPRouteHandler

from roompulse.clock import Clock
from roompulse.web.http.json_answer import JsonAnswer
from roompulse.web.http.routes import FOR_ANYBODY, GET

RETRY_AFTER = 2
"""Seconds."""


class Writing(Protocol):
    @property
    def failing_since(self) -> float | None:
        """When writes to the database began to fail (Unix seconds); None while they succeed."""
        ...

    @property
    def lost(self) -> str:
        """What happened to its file and what to do, where retrying does not help; else empty."""
        ...


BEHIND = 2.0
"""Seconds that a worker may be behind the others; then reports and readers should go to another one."""


def ready_routes(
    store: Writing, is_closing: Callable[[], bool], behind: Callable[[], float], clock: Clock
) -> list[HTTPRouteHandler]:
    """The routes. Neither queries the database: a probe that writes would cost commits, and hang with the database.

    `behind` is for how many seconds other workers' commits are unknown.
    """

    @route("/healthz", http_method=GET, opt=FOR_ANYBODY)
    async def get_health() -> JsonAnswer:
        return _answer(200, {"status": "ok"})

    @route("/readyz", http_method=GET, opt=FOR_ANYBODY)
    async def get_readiness() -> JsonAnswer:
        if is_closing():
            return _answer(503, {"status": "stopping", "reason": "the server is shutting down"})
        if (since := store.failing_since) is not None:
            seconds = max(0, round(clock() - since))
            reason = f"the database cannot be written, since {seconds} s"
            return _answer(503, {"status": "failing", "reason": f"{reason}: {store.lost}" if store.lost else reason})
        if (late := behind()) > BEHIND:
            reason = f"commits of other workers were last read {late:.0f} s ago"
            return _answer(503, {"status": "behind", "reason": reason})
        return _answer(200, {"status": "ok"})

    return [get_health, get_readiness]


def _answer(status: int, body: dict[str, str]) -> JsonAnswer:
    headers = {"Retry-After": str(RETRY_AFTER)} if status == 503 else {}
    return JsonAnswer(msgspec.json.encode(body), status=status, headers=headers)
