import resource

import pytest

from roompulse.errors import TooManyRequests, Unavailable
from roompulse.meters import Meters
from roompulse.net import Networks
from roompulse.settings import Settings
from roompulse.web.server.connection_limit import RESERVE, ConnectionLimit, max_connections
from tests.conftest import Clock

ONE, OTHER, THIRD = "192.0.2.1", "192.0.2.2", "192.0.2.3"


def test_one_address_has_half_of_all_connections() -> None:
    limit = ConnectionLimit(Settings(), Meters(), most=4)
    for address in (ONE, ONE, OTHER):
        limit.enter(address)
    with pytest.raises(TooManyRequests, match="this address has 2 connections open already") as refused:
        limit.enter(ONE)
    assert refused.value.retry_after
    limit.leave(ONE)
    limit.enter(ONE)


def test_hosts_of_an_ipv6_network_are_one_address() -> None:
    limit = ConnectionLimit(Settings(), Meters(), most=2)
    limit.enter("2001:db8::1")
    with pytest.raises(TooManyRequests):
        limit.enter("2001:db8::2")
    limit.enter("2001:db8:0:1::1")


def test_all_addresses_together_have_no_more_than_all() -> None:
    limit = ConnectionLimit(Settings(), Meters(), most=2)
    for address in (ONE, OTHER):
        limit.enter(address)
    with pytest.raises(Unavailable, match="the maximum of 2 connections is reached") as refused:
        limit.enter(THIRD)
    assert refused.value.retry_after


def test_a_trusted_proxy_is_bounded_by_all_alone() -> None:
    behind = Settings(behind_proxy=True, trusted_proxies=Networks(ONE))
    limit = ConnectionLimit(behind, Meters(), most=4)
    for _ in range(4):
        limit.enter(ONE)
    with pytest.raises(Unavailable):
        limit.enter(ONE)


def test_an_address_is_no_proxy_where_there_is_none() -> None:
    limit = ConnectionLimit(Settings(trusted_proxies=Networks(ONE)), Meters(), most=2)
    limit.enter(ONE)
    with pytest.raises(TooManyRequests):
        limit.enter(ONE)


def test_what_is_refused_is_counted_and_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    meters, clock = Meters(), Clock(0)
    limit = ConnectionLimit(Settings(), meters, most=2, clock=clock)
    limit.enter(ONE)

    def refused(times: int) -> list[str]:
        caplog.clear()
        for _ in range(times):
            with pytest.raises(TooManyRequests):
                limit.enter(ONE)
        return caplog.messages

    [line] = refused(5)
    assert "1 since the last such line, the last one of 192.0.2.1: this address has 1 connections" in line
    clock.advance(59)
    assert refused(5) == []
    clock.advance(1)
    [line] = refused(1)
    assert "10 since the last such line" in line
    assert meters.registry.get_sample_value("roompulse_connections_refused_total") == 11


@pytest.mark.parametrize(
    ("files", "most"), [(1024, 1024 - RESERVE), (RESERVE, RESERVE // 2), (resource.RLIM_INFINITY, 2**63 - 1)]
)
def test_connections_leave_descriptors_for_files(monkeypatch: pytest.MonkeyPatch, files: int, most: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert max_connections() == most
