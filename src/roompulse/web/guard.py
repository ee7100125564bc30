"""What asks at each door: every route is closed to strangers, but for those that are marked."""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard, Scope

from roompulse.access.gate import Gate
from roompulse.access.model import ANYBODY, Caller
from roompulse.errors import Unauthorized

AnyConnection = ASGIConnection[Any, Any, Any, Any]

FOR_ANYBODY = {"for_anybody": True}
"""The `opt` of a route that has nothing to hide, or asks by itself."""


def guard_by(gate: Gate) -> Guard:
    """A guard of Litestar for the whole application. `caller_of` tells a handler whom it let in."""

    async def guard(connection: AnyConnection, handler: BaseRouteHandler) -> None:
        if not handler.opt.get("for_anybody"):
            connection.scope["state"]["caller"] = _caller(connection, gate)

    return guard


def _caller(connection: AnyConnection, gate: Gate) -> Caller:
    """Who asks; raises Unauthorized where that has to be known and is not."""
    if not gate.asks_readers:
        return ANYBODY
    if (shown := bearer(connection.scope)) and (key := gate.key(shown, "read")):
        return Caller(key.name, proof=key.id)
    raise Unauthorized("Authorization: send a read key, as in `Bearer rp_…`")


def bearer(scope: Scope) -> str | None:
    """What the `Authorization` header shows, if it is a bearer's (RFC 6750)."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, shown = value.decode("latin-1").partition(" ")
            return shown.strip() if scheme.lower() == "bearer" else None
    return None


def caller_of(connection: AnyConnection) -> Caller:
    caller: Caller = connection.scope["state"]["caller"]
    return caller
