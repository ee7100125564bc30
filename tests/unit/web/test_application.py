from typing import Any

import pytest

from roompulse.web.application import normalized

NAMES = frozenset({"rooms", "report", "stream"})


def path_of(raw: str, prefix: str, root_path: str = "") -> str:
    scope: dict[str, Any] = {"path": raw, "raw_path": raw.encode(), "root_path": root_path}
    found = normalized(scope, prefix, NAMES)
    assert found["raw_path"].decode() == found["path"]
    assert found["state"]["prefix"] == prefix
    assert found["root_path"] == ""
    path: str = found["path"]
    return path


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("/pulse/rooms/a%2Fb", "/rooms/a%2Fb"),
        ("/rooms/a%2Fb", "/rooms/a%2Fb"),
        ("/pulse/", "/"),
        ("/pulse", "/"),
        ("/pulses", "/pulses"),
        ("/rooms/pulse/", "/rooms/pulse/"),
        ("/", "/"),
    ],
)
def test_a_proxy_may_pass_the_prefix_on_or_remove_it(raw: str, path: str) -> None:
    assert path_of(raw, "/pulse") == path


@pytest.mark.parametrize("prefix", ["/rooms", "/report", "/report/a", "/stream"])
def test_a_prefix_that_begins_like_a_route_is_not_looked_for(prefix: str) -> None:
    assert path_of(f"{prefix}/x", prefix) == f"{prefix}/x"


def test_the_root_path_of_an_asgi_server_is_part_of_the_path() -> None:
    assert path_of("/rooms/rooms/x", "/rooms", root_path="/rooms") == "/rooms/x"
    assert path_of("/pulse/rooms/x", "/pulse", root_path="/pulse") == "/rooms/x"
    assert path_of("/rooms/x", "/pulse", root_path="/pulse") == "/rooms/x"


def test_without_a_prefix_nothing_is_removed() -> None:
    assert path_of("//rooms/x", "") == "//rooms/x"
