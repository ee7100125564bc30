from typing import Any, cast

import pytest
from litestar.types import Scope

from roompulse.net import Networks
from roompulse.settings import Settings
from roompulse.web.http.client_address import ClientAddresses

BEHIND = Settings(behind_proxy=True, trusted_proxies=Networks("127.0.0.1, 10.0.0.0/8, fd00::/8"))


def scope(peer: str | None, *headers: tuple[str, str], scheme: str = "http") -> Scope:
    raw: Any = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return cast("Scope", {"client": (peer, 1) if peer else None, "headers": raw, "scheme": scheme})


def forwarded(peer: str, *values: str) -> Scope:
    return scope(peer, *(("X-Forwarded-For", value) for value in values))


@pytest.mark.parametrize(
    ("asked", "address"),
    [
        (forwarded("127.0.0.1"), "127.0.0.1"),
        (forwarded("127.0.0.1", "203.0.113.7"), "203.0.113.7"),
        (forwarded("fd00::1", "2001:db8::7"), "2001:db8::7"),
        (forwarded("::ffff:10.1.1.1", "203.0.113.7"), "203.0.113.7"),
        # What the client says of itself comes before what the proxies say.
        (forwarded("127.0.0.1", "6.6.6.6, 203.0.113.7"), "203.0.113.7"),
        (forwarded("127.0.0.1", "6.6.6.6", "203.0.113.7, 10.0.0.2"), "203.0.113.7"),
        (forwarded("127.0.0.1", "6.6.6.6, nonsense, 10.0.0.2"), "10.0.0.2"),
        (forwarded("127.0.0.1", "", ","), "127.0.0.1"),
        (forwarded("203.0.113.9", "6.6.6.6"), "203.0.113.9"),
        (scope(None), ""),
    ],
)
def test_the_client_is_the_nearest_address_that_is_no_trusted_proxy(asked: Scope, address: str) -> None:
    assert ClientAddresses(BEHIND).address(asked) == address


def test_without_a_proxy_nobody_is_believed() -> None:
    peers = ClientAddresses(Settings())
    assert peers.address(forwarded("127.0.0.1", "6.6.6.6")) == "127.0.0.1"
    assert not peers.is_proxy(scope("127.0.0.1"))
    assert not peers.is_https(scope("127.0.0.1", ("X-Forwarded-Proto", "https")))


def test_the_proxy_says_whether_the_connection_is_encrypted() -> None:
    peers = ClientAddresses(BEHIND)
    assert peers.is_https(scope("127.0.0.1", ("X-Forwarded-Proto", "https")))
    assert not peers.is_https(scope("127.0.0.1", ("X-Forwarded-Proto", "https, http")))
    assert not peers.is_https(scope("203.0.113.9", ("X-Forwarded-Proto", "https")))
    assert peers.is_https(scope("203.0.113.9", scheme="https"))
