"""Messages do not go into the server's own network, unless that is allowed."""

import socket
from typing import Any

import pytest

from roompulse.notify.model import SendError
from roompulse.notify.targets import Targets, is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "fec0::1",
        "64:ff9b:1::7f00:1",
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "2130706433", "0x7f.1"])
async def test_this_machine_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(SendError, match="not public") as raised:
        await Targets(private=False).address(host, 80)
    assert raised.value.final


async def test_it_is_allowed_by_the_setting() -> None:
    assert await Targets(private=True).address("127.0.0.1", 80) == "127.0.0.1"


async def test_a_name_with_one_address_that_is_not_public_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("1.1.1.1", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: found)
    with pytest.raises(SendError, match="not public"):
        await Targets(private=False).address("rebound.example", 80)


async def test_a_name_that_does_not_exist_is_tried_again() -> None:
    with pytest.raises(SendError, match="cannot be resolved") as raised:
        await Targets(private=False).address("no-such-host.invalid", 80)
    assert not raised.value.final


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("tokenA", True),
        ("", True),
        ("localhost", False),
        ("an.LocalHost.", False),
        ("10.1.1.1", False),
        ("[::1]", False),
        ("::1", False),
    ],
)
def test_hosts_in_urls_of_apprise_are_checked_as_far_as_they_can_be(host: str, allowed: bool) -> None:  # noqa: FBT001
    targets: Any = Targets(private=False)
    if allowed:
        targets.check_named(host)
    else:
        with pytest.raises(SendError):
            targets.check_named(host)
