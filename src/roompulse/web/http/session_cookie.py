"""The cookie that holds the secret of a sign-in."""

from litestar.datastructures import Cookie

from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.http.routes import AnyConnection
from roompulse.web.http.urls import base_of


class SessionCookie:
    """Over https its name begins with `__Host-`, so that neither a sister domain nor http can set it (RFC 6265bis).

    Under a path, where that name is not allowed, it begins with `__Secure-`, and other applications of the host do not
    get the cookie.
    """

    def __init__(self, peers: ClientAddresses, lifetime: float) -> None:
        self._peers = peers
        self._lifetime = int(lifetime)

    def read(self, connection: AnyConnection) -> str | None:
        return connection.cookies.get(self._name(connection))

    def holding(self, connection: AnyConnection, secret: str) -> Cookie:
        return self._cookie(connection, secret, self._lifetime)

    def gone(self, connection: AnyConnection) -> Cookie:
        return self._cookie(connection, "", 0)

    def _cookie(self, connection: AnyConnection, value: str, max_age: int) -> Cookie:
        return Cookie(
            self._name(connection),
            value=value,
            path=base_of(connection.scope),
            max_age=max_age,
            secure=self._peers.is_https(connection.scope),
            httponly=True,
            samesite="lax",
        )

    def _name(self, connection: AnyConnection) -> str:
        if not self._peers.is_https(connection.scope):
            return "roompulse"
        return "__Host-roompulse" if base_of(connection.scope) == "/" else "__Secure-roompulse"
