from typing import Any, cast

import pytest
from litestar.types import Scope
from msgspec.structs import replace

from roompulse.net import Networks
from roompulse.settings import RootPath, Settings
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
        # The client's own value comes before the proxies'.
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


def prefixed(peer: str, *values: str, root_path: str = "") -> Scope:
    asked: Any = scope(peer, *(("X-Forwarded-Prefix", value) for value in values))
    return cast("Scope", asked | {"root_path": root_path})


@pytest.mark.parametrize(
    ("values", "prefix"),
    [
        (["/pulse"], "/pulse"),
        (["/pulse/"], "/pulse"),
        (["/a/b-c_d.e~1"], "/a/b-c_d.e~1"),
        (["/evil", "/pulse"], "/pulse"),
        (["/evil, /pulse"], "/pulse"),
        (["/"], ""),
    ],
)
def test_a_trusted_proxy_names_the_path_of_the_root(values: list[str], prefix: str) -> None:
    assert ClientAddresses(BEHIND).prefix(prefixed("127.0.0.1", *values)) == prefix


@pytest.mark.parametrize(
    "value",
    [
        *("", "//evil.example", "/a//b", "/a/../b", "/.", "/..", "pulse", "https://evil.example", "/\\evil.example"),
        *('/a"><script>', "/a'b", "/a b", "/a\r\nSet-Cookie: b=c", "/a;b", "/a?b", "/a#b", "/a%2fb", "/\xe4"),
        *("/" + 10_000 * "a", 5_000 * "/a"),
    ],
)
def test_what_is_no_plain_path_is_ignored(value: str) -> None:
    asked = prefixed("127.0.0.1", value)
    assert ClientAddresses(BEHIND).prefix(asked) == ""
    assert ClientAddresses(replace(BEHIND, root_path=RootPath("/pulse"))).prefix(asked) == "/pulse"


def test_no_other_client_names_the_path() -> None:
    assert ClientAddresses(BEHIND).prefix(prefixed("203.0.113.9", "/pulse")) == ""
    assert ClientAddresses(Settings()).prefix(prefixed("127.0.0.1", "/pulse")) == ""


def test_without_the_header_it_is_the_setting_else_what_the_asgi_server_says() -> None:
    served = prefixed("127.0.0.1", root_path="/käse/")
    assert ClientAddresses(Settings()).prefix(served) == "/k%C3%A4se"
    assert ClientAddresses(Settings(root_path=RootPath("/pulse"))).prefix(served) == "/pulse"
    assert ClientAddresses(BEHIND).prefix(prefixed("127.0.0.1", "/header", root_path="/käse")) == "/header"
