"""The cookie that holds the secret of a sign-in."""

from litestar.datastructures import Cookie

from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.http.routes import AnyConnection


class SessionCookie:
    """Over https its name begins with `__Host-`, so that neither a sister domain nor http can set it (RFC 6265bis)."""

    def __init__(self, peers: ClientAddresses, lifetime: float) -> None:
        self._peers = peers
        self._lifetime = int(lifetime)

    def read(self, connection: AnyConnection) -> str | None:
        return connection.cookies.get(_name(https=self._peers.is_https(connection.scope)))

    def holding(self, connection: AnyConnection, secret: str) -> Cookie:
        return self._cookie(connection, secret, self._lifetime)

    def gone(self, connection: AnyConnection) -> Cookie:
        return self._cookie(connection, "", 0)

    def _cookie(self, connection: AnyConnection, value: str, max_age: int) -> Cookie:
        https = self._peers.is_https(connection.scope)
        return Cookie(
            _name(https=https), value=value, path="/", max_age=max_age, secure=https, httponly=True, samesite="lax"
        )


def _name(*, https: bool) -> str:
    return "__Host-roompulse" if https else "roompulse"
