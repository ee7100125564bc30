from typing import Any

import pytest

from roompulse.web.http.same_origin import is_same_origin


def posted(*headers: tuple[str, str], host: str = "pulse.example:8180") -> Any:
    return {"headers": [(name.encode(), value.encode()) for name, value in [("host", host), *headers]]}


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("sec-fetch-site", "same-origin")],
        [("sec-fetch-site", "none")],
        [("origin", "http://pulse.example:8180")],
        [("origin", "HTTPS://PULSE.example:8180")],
        # The browser's own header takes precedence over a name that a proxy may have changed.
        [("sec-fetch-site", "same-origin"), ("origin", "https://outside.example")],
    ],
)
def test_the_own_pages_and_programs_may_change_something(headers: list[tuple[str, str]]) -> None:
    assert is_same_origin(posted(*headers))


@pytest.mark.parametrize(
    "headers",
    [
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
        [("sec-fetch-site", "")],
        [("sec-fetch-site", "made-up")],
        [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "cross-site"), ("origin", "http://pulse.example:8180")],
        [("origin", "null")],
        [("origin", "")],
        [("origin", "https://evil.example")],
        [("origin", "http://pulse.example")],
        [("origin", "http://pulse.example:8181")],
        [("origin", "http://pulse.example:8180.evil.example")],
        [("origin", "http://pulse.example:8180@evil.example")],
        [("origin", "http://[")],
        [("origin", "http://pulse.example:8180"), ("origin", "https://evil.example")],
    ],
)
def test_pages_of_other_sites_may_not(headers: list[tuple[str, str]]) -> None:
    assert not is_same_origin(posted(*headers))


def test_without_a_host_no_origin_is_the_same() -> None:
    scope = {"headers": [(b"origin", b"null")]}
    assert not is_same_origin(scope)  # type: ignore[arg-type]
