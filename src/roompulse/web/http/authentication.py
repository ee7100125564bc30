"""Authenticates the callers of every route, except those that are marked as open."""

from litestar.handlers import BaseRouteHandler
from litestar.types import Guard, Scope

from roompulse.access.keys import digest_of
from roompulse.access.model import ANYBODY, Caller
from roompulse.access.operators import name_fault
from roompulse.access.registry import READING, AccessRegistry
from roompulse.errors import Forbidden, NotFound, SignedOut, Unauthorized
from roompulse.settings import Settings
from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.http.routes import AnyConnection
from roompulse.web.http.same_origin import is_same_origin
from roompulse.web.http.session_cookie import SessionCookie
from roompulse.web.http.shared import caller_by, share_of


def guard_by(authenticator: "Authenticator") -> Guard:
    """A guard of Litestar for the whole application. `caller_of` returns the caller that it admitted."""

    async def guard(connection: AnyConnection, handler: BaseRouteHandler) -> None:
        if handler.opt.get("for_anybody"):
            return
        caller = authenticator.caller(connection)
        if roles := handler.opt.get("roles"):
            if caller is ANYBODY:
                raise NotFound("sign-in is not required here: `roompulse user add NAME` changes that")
            if caller.role not in roles:
                raise Forbidden(f"only for operators with the role {' or '.join(roles)}")
        if handler.opt.get("manages"):
            _check_change(connection, "admins", may=caller.may_manage)
        if handler.opt.get("writes_notes"):
            _check_change(connection, "operators", may=caller.may_write_notes)
        connection.scope["state"]["caller"] = caller

    return guard


def _check_change(connection: AnyConnection, operators: str, *, may: bool) -> None:
    if not may:
        raise Forbidden(f"only for {operators}, and for programs with a key for `manage`")
    if not is_same_origin(connection.scope):
        raise Forbidden("this request was made by a page of another site")


class Authenticator:
    """Finds the caller: the holder of a key, or an operator by the sign-in in a cookie or by the proxy in front."""

    def __init__(
        self, registry: AccessRegistry, cookie: SessionCookie, peers: ClientAddresses, settings: Settings
    ) -> None:
        self._registry = registry
        self._cookie = cookie
        self._peers = peers
        self._header = settings.proxy_user_header if settings.behind_proxy else None

    @property
    def sign_in_here(self) -> bool:
        """Whether operators sign in by password: a sign-in is required, and no proxy does it."""
        return self._registry.asks_readers and self._header is None

    def must_sign_in(self, connection: AnyConnection) -> bool:
        secret = self._cookie.read(connection)
        return self.sign_in_here and not (secret and self._signed_in(secret))

    def caller(self, connection: AnyConnection) -> Caller:
        """Raises Unauthorized for a caller that has to authenticate and does not."""
        if share := share_of(connection.scope):
            return caller_by(share)
        if not self._registry.asks_readers:
            return ANYBODY
        if shown := bearer(connection.scope):
            return self._program(shown)
        if self._header is not None:
            return self._signed_on(connection, self._header)
        if (shown := self._cookie.read(connection)) and (operator := self._signed_in(shown)):
            return operator
        raise SignedOut("Authorization: send a read key, as in `Bearer rp_…`, or sign in")

    def _program(self, shown: str) -> Caller:
        if key := self._registry.key(shown, *READING):
            return Caller(key.name, proof=key.id, manages=key.kind == "manage")
        raise Unauthorized("Authorization: invalid read key")

    def _signed_in(self, secret: str) -> Caller | None:
        if (sign_in := self._registry.sign_in(digest_of(secret))) is None:
            return None
        self._registry.use(sign_in.digest)
        return Caller(sign_in.operator, self._registry.role_of(sign_in.operator), sign_in.digest)

    def _signed_on(self, connection: AnyConnection, header: str) -> Caller:
        """The operator named by the proxy. Of two names, one may be forged by the client."""
        names = connection.headers.getall(header, []) if self._peers.is_proxy(connection.scope) else []
        if len(names) == 1 and (name := _utf8(names[0])) and not name_fault(name):
            return Caller(name, self._registry.role_of(name) or "viewer")
        raise Unauthorized(f"{header}: the proxy in front has to name the signed-in operator here")


def _utf8(value: str) -> str | None:
    try:
        return value.strip().encode("latin-1").decode()
    except UnicodeError:
        return None


def bearer(scope: Scope) -> str | None:
    """The credentials in the `Authorization` header, if they are a bearer's (RFC 6750)."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, shown = value.decode("latin-1").partition(" ")
            return shown.strip() if scheme.lower() == "bearer" else None
    return None


def caller_of(connection: AnyConnection) -> Caller:
    caller: Caller = connection.scope["state"]["caller"]
    return caller


def name_of(caller: Caller) -> str:
    """The author of an action; `anonymous` where there is no access control."""
    return caller.name or "anonymous"
