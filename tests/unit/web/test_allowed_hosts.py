from typing import Any

import pytest

from roompulse.errors import BadRequest, Forbidden
from roompulse.net import Networks
from roompulse.settings import Names, Settings
from roompulse.web.http.allowed_hosts import AllowedHosts
from roompulse.web.http.client_address import ClientAddresses

REACHABLE = "0.0.0.0"  # noqa: S104


def asked(*hosts: str, path: str = "/", version: str = "1.1", peer: str = "127.0.0.1", **more: str) -> Any:
    headers = [(b"host", host.encode("latin-1")) for host in hosts]
    headers += [(name.replace("_", "-").encode(), value.encode()) for name, value in more.items()]
    server = ("127.0.0.1", 8180)
    return {"path": path, "http_version": version, "client": (peer, 1), "server": server, "headers": headers}


def checking(**values: Any) -> AllowedHosts:
    settings = Settings(**values)
    return AllowedHosts(settings, ClientAddresses(settings))


def refusal(hosts: AllowedHosts, scope: Any) -> str:
    with pytest.raises(BadRequest) as refused:
        hosts.check(scope)
    return refused.value.message


ALWAYS = ["localhost", "localhost:8180", "LocalHost", "app.localhost:1", "localhost.", "127.0.0.1", "127.0.0.1:8180"]
ALWAYS += ["[::1]", "[::1]:8180", "[2001:DB8::7]:65535", "10.0.0.7", "localhost:"]
OTHERS = ["pulse.example", "localhost.evil.example", "evil-localhost", "127.0.0.1.evil.example", "127.1", "0x7f.1"]


@pytest.mark.parametrize("host", ALWAYS)
@pytest.mark.parametrize("allowed", ["", "pulse.example"])
@pytest.mark.parametrize("listens_on", ["127.0.0.1", "::1", "localhost", REACHABLE])
def test_addresses_and_localhost_are_always_fine(host: str, allowed: str, listens_on: str) -> None:
    checking(host=listens_on, allowed_hosts=Names(allowed)).check(asked(host))


@pytest.mark.parametrize("host", OTHERS)
def test_on_loopback_no_other_name_is_as_any_web_site_may_point_one_there(host: str) -> None:
    for listens_on in ("127.0.0.1", "127.8.8.8", "::1", "localhost"):
        assert repr(host) in refusal(checking(host=listens_on), asked(f"{host}:8180"))


@pytest.mark.parametrize("host", OTHERS)
def test_elsewhere_every_name_is_fine_until_some_are_listed(host: str) -> None:
    for listens_on in (REACHABLE, "::", "10.0.0.7", "pulse.internal"):
        checking(host=listens_on).check(asked(host))
        listed = checking(host=listens_on, allowed_hosts=Names("wall.example"))
        assert "ALLOWED_HOSTS" in refusal(listed, asked(host))


@pytest.mark.parametrize("host", ["pulse.example", "PULSE.Example:8180", "pulse.example.", "pulse.example.:80"])
def test_a_listed_name_is_fine_in_any_case_with_any_port(host: str) -> None:
    for listens_on in ("127.0.0.1", REACHABLE):
        checking(host=listens_on, allowed_hosts=Names("wall.example, Pulse.Example")).check(asked(host))


MALFORMED = [
    "",
    " ",
    "a b",
    "a/b",
    "a@b",
    "user:pw@localhost",
    "localhost:x",
    "localhost:123456",
    "localhost:1:2",
    "::1",
]
MALFORMED += [
    "[::1",
    "[]",
    "[::1]x",
    "localhost\n",
    "localhost\x00",
    "ü.example",
    "http://localhost",
    "a,b",
    "<script>",
]
MALFORMED += ["%6c", ":80", "[::ffff:1.2.3.4%25eth0]", "[evil.example]", "[dead.beef]"]


@pytest.mark.parametrize("host", MALFORMED)
def test_a_malformed_host_is_refused_even_where_every_name_is_fine(host: str) -> None:
    assert "malformed" in refusal(checking(host=REACHABLE), asked(host))


def test_there_must_be_one_host() -> None:
    for hosts in (checking(), checking(host=REACHABLE)):
        assert refusal(hosts, asked()) == "Host: there must be one, not 0"
        assert refusal(hosts, asked("localhost", "localhost")) == "Host: there must be one, not 2"
        # HTTP/1.0 knew none; browsers do not speak it.
        hosts.check(asked(version="1.0"))
        assert refusal(hosts, asked("localhost", "evil.example", version="1.0"))


@pytest.mark.parametrize("listens_on", ["127.0.0.1", "::1", "localhost"])
def test_where_host_is_loopback_no_request_may_arrive_elsewhere(listens_on: str) -> None:
    hosts = checking(host=listens_on)
    for server in (("127.0.0.1", 1), ("::1", 1), ("/run/roompulse.sock", None), ("localhost", 1), None):
        hosts.check(asked("localhost") | {"server": server})
    with pytest.raises(Forbidden, match="ROOMPULSE_HOST"):
        hosts.check(asked("192.0.2.1") | {"server": ("192.0.2.1", 1)})


@pytest.mark.parametrize("values", [{"host": REACHABLE}, {"open": True}, {"behind_proxy": True}])
def test_elsewhere_it_may_where_that_is_meant(values: dict[str, Any]) -> None:
    checking(**values).check(asked("192.0.2.1") | {"server": ("192.0.2.1", 1)})


def test_a_long_name_is_told_in_short() -> None:
    assert len(refusal(checking(), asked("x" * 50_000))) < 200
    assert len(refusal(checking(), asked("<" * 50_000))) < 500


def test_what_a_client_says_that_it_asked_a_proxy_for_does_not_count() -> None:
    behind = checking(behind_proxy=True)
    assert refusal(behind, asked("evil.example", x_forwarded_host="localhost"))
    behind.check(asked("localhost", x_forwarded_host="evil.example"))


def test_behind_a_proxy_nobody_else_may_connect() -> None:
    behind = checking(host=REACHABLE, behind_proxy=True, trusted_proxies=Networks("10.0.0.0/8"))
    behind.check(asked("pulse.example", peer="10.1.2.3"))
    for peer in ("192.0.2.1", "127.0.0.1"):
        with pytest.raises(Forbidden, match="TRUSTED_PROXIES"):
            behind.check(asked("pulse.example", peer=peer, x_forwarded_for="10.1.2.3"))


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/assets/0123456789abcdef/css/roompulse.css"])
def test_orchestrators_and_the_page_of_the_error_may_ask_by_any_name_and_past_the_proxy(path: str) -> None:
    for hosts in (checking(), checking(behind_proxy=True, trusted_proxies=Networks("10.0.0.1"))):
        hosts.check(asked("pod-7.internal", path=path, peer="192.0.2.1"))
        hosts.check(asked(path=path, peer="192.0.2.1"))
