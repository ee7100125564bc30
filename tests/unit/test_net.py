"""Addresses: networks, clients, and loopback."""

import socket
from typing import Any

import pytest

from roompulse.net import Networks, address_family, address_key, is_address, is_loopback


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.2", "127.1", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "localhost", "LOCALHOST"]
)
def test_only_this_machine_reaches_these(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "0.0.0.0",  # noqa: S104
        "0",
        "::",
        "::0",
        "::ffff:0.0.0.0",
        "192.0.2.1",
        "fe80::1",
        "2001:db8::1",
        "::2",
        "[::1]",
        "no such",
        ".",
    ],
)
def test_others_reach_these_or_nobody_knows(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [(["127.0.1.1"], True), (["192.0.2.1"], False), (["127.0.0.1", "192.0.2.1"], False)],
)
def test_a_name_is_what_it_stands_for(monkeypatch: pytest.MonkeyPatch, addresses: list[str], *, expected: bool) -> None:
    def look_up(*_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert is_loopback("pulse.example") == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("192.0.2.1", "192.0.2.2"),
        ("2001:db8:0:1::1", "2001:db8:0:2::1"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ("192.0.2.1", "2001:db8::1"),
    ],
)
def test_each_address_is_a_sender_of_its_own(one: str, other: str) -> None:
    assert address_key(one) != address_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"),
        ("2001:db8::1", "2001:0DB8:0000::0002"),
        ("fe80::1%eth0", "fe80::2%eth1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_all_hosts_of_an_ipv6_network_are_one_sender(one: str, other: str) -> None:
    assert address_key(one) == address_key(other)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "fd00::1", "::ffff:10.0.0.1"])
def test_networks_contain_these(address: str) -> None:
    assert address in Networks("127.0.0.1, 10.0.0.0/8, fd00::/8,")


@pytest.mark.parametrize("address", ["127.0.0.2", "11.0.0.0", "fe80::1", "", "unix:", "10.0.0.0/8", "10.1.2.3:80"])
def test_networks_do_not_contain_these(address: str) -> None:
    assert address not in Networks("127.0.0.1, 10.0.0.0/8, fd00::/8,")


@pytest.mark.parametrize("text", ["10.0.0.0/33", "localhost", "10.0.0.1/8"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Networks(text)


def test_an_address_has_neither_port_nor_brackets() -> None:
    assert [is_address(text) for text in ("192.0.2.1", "::1", "192.0.2.1:80", "[::1]", "localhost", "")] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]


def test_an_address_with_a_colon_is_of_ipv6() -> None:
    assert (address_family("::1"), address_family("127.0.0.1")) == (socket.AF_INET6, socket.AF_INET)
    assert address_family("localhost") == socket.AF_INET
