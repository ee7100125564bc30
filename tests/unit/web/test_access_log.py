"""One line a request."""

import logging
from typing import Any
from unittest.mock import Mock

import pytest

from roompulse.net import Networks
from roompulse.settings import Settings
from roompulse.web.access_log import AccessLog
from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.sse.push import EXTENSION, PushChannel


def scope(path: bytes = b"/rooms/a", **fields: Any) -> Any:
    asked = {"type": "http", "method": "GET", "raw_path": path, "client": ("192.0.2.1", 5), "headers": []}
    return asked | {"extensions": {EXTENSION: Mock(PushChannel, written=0)}} | fields


async def logged(caplog: pytest.LogCaptureFixture, app: Any, asked: Any, settings: Settings | None = None) -> Any:
    async def nothing(*_: Any) -> Any:
        """The client has disconnected."""

    with caplog.at_level(logging.INFO):
        await AccessLog(ClientAddresses(settings or Settings())).around(app)(asked, nothing, nothing)
    (record,) = caplog.records
    return record


async def answers(scope: Any, receive: Any, send: Any) -> None:
    scope["raw_path"] = b"/routed"
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"abc", "more_body": True})
    await send({"type": "http.response.body", "body": b"de", "more_body": False})


async def leaves(scope: Any, receive: Any, send: Any) -> None:
    """Ends without an answer."""


async def breaks(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("a mistake")


async def test_a_request_is_told_with_its_answer(caplog: pytest.LogCaptureFixture) -> None:
    record = await logged(caplog, answers, scope())
    fields = (record.method, record.path, record.status, record.bytes, record.client)
    assert fields == ("GET", "/rooms/a", 404, 5, "192.0.2.1")
    assert record.ms >= 0


async def test_the_secret_of_a_shared_page_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    record = await logged(caplog, answers, scope(b"/pulse/shared/ab12_s3cr-et/rooms/a_b"))
    assert record.path == "/pulse/shared/ab12\N{HORIZONTAL ELLIPSIS}/rooms/a_b"


async def test_one_that_left_without_an_answer_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    assert (await logged(caplog, leaves, scope())).status is None


async def test_one_that_broke_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(RuntimeError):
        await logged(caplog, breaks, scope())
    assert [record.getMessage() for record in caplog.records] == ["request"]


async def test_a_path_is_escaped_and_cut(caplog: pytest.LogCaptureFixture) -> None:
    record = await logged(caplog, answers, scope(b"/\n\x1b[31m\x85" + b"x" * 9_000, method="G\nT" + "x" * 99))
    assert record.path.startswith("/\\n\\x1b[31m\\x85xxx")
    assert len(record.path) < 250
    assert record.method.startswith("G\\nTx")
    assert len(record.method) < 30


async def test_a_query_string_and_headers_are_not_told(caplog: pytest.LogCaptureFixture) -> None:
    asked = scope(query_string=b"token=secret", headers=[(b"authorization", b"Bearer secret")])
    assert "secret" not in str((await logged(caplog, answers, asked)).__dict__)


async def test_behind_a_proxy_the_address_is_that_of_its_client(caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(behind_proxy=True, trusted_proxies=Networks("192.0.2.1"))
    asked = scope(headers=[(b"x-forwarded-for", b"made up, 198.51.100.7")])
    assert (await logged(caplog, answers, asked, settings)).client == "198.51.100.7"
