"""Other spellings of a path are treated alike by every method and every way in: the path counts as it was sent."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.builders import REFERENCE
from tests.process.asgi import AsgiProcess
from tests.process.raw import Raw
from tests.server import Server

INGEST = {"POST": 200, "GET": 405, "HEAD": 405, "OPTIONS": 204, "PUT": 405}
NOWHERE = dict.fromkeys(INGEST, 404)
ROOMS = {"POST": 405, "GET": 200, "HEAD": 200, "OPTIONS": 204, "PUT": 405}

SPELLINGS = {
    "/report/metrics": INGEST,
    "/report/metrics?x=1": INGEST,
    "/report/metrics?": INGEST,
    "/report/metrics/": INGEST,  # slashes too many count nowhere
    "//report/metrics": INGEST,
    "/report//metrics": INGEST,
    "/report%2Fmetrics": NOWHERE,
    "/report%2fmetrics": NOWHERE,
    "/report/%6Detrics": NOWHERE,
    "/report/metric%73": NOWHERE,
    "/%72eport/metrics": NOWHERE,
    "/report/metrics%2F": NOWHERE,
    "/report/metrics%3Fx": NOWHERE,
    "/report/metrics;x": NOWHERE,
    "/report/Metrics": NOWHERE,
    "/report/rooms": ROOMS,
    "/report/rooms?x=1": ROOMS,
    "/report/rooms/": ROOMS,
    "//report/rooms": ROOMS,
    "/report/%72ooms": NOWHERE,
    "/report%2Frooms": NOWHERE,
}
CASES = [(path, method, status) for path, methods in SPELLINGS.items() for method, status in methods.items()]


@pytest.fixture(scope="module", params=["serve", "uvicorn"])
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    data = tmp_path_factory.mktemp("spellings") / "data"
    server = Server(data, {}) if request.param == "serve" else AsgiProcess(data, {})
    with server.running():
        yield server.port


@pytest.mark.parametrize(("path", "method", "status"), CASES)
def test_over_a_connection(port: int, path: str, method: str, status: int) -> None:
    content = REFERENCE if method == "POST" else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n"
    with Raw(port) as raw:
        assert raw.send(head.encode() + content).answer(method=method).status == status


@pytest.mark.parametrize(("path", "method", "status"), CASES)
async def test_by_asgi(kept: httpx.AsyncClient, path: str, method: str, status: int) -> None:
    content = REFERENCE if method == "POST" else b""
    # A URL of its own, as that of a client has its slashes joined.
    answer = await kept.request(method, f"http://localhost{path}", content=content)
    assert answer.status_code == status


async def called(client: httpx.AsyncClient, **scope: Any) -> int:
    """The status of a GET with a scope of these fields."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    transport: Any = client._transport
    asked: Any = {"type": "http", "http_version": "1.1", "method": "GET", "headers": [(b"host", b"localhost")]}
    await transport.app(asked | {"query_string": b""} | scope, receive, send)
    return int(sent[0]["status"])


@pytest.mark.one_process
@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ({"path": "/report/rooms"}, 200),
        ({"path": "/report/rooms", "raw_path": None}, 200),
        ({"path": "/rooms/é b", "raw_path": None}, 404),  # such a room is not live
        ({"path": "/report/rooms", "raw_path": b"/report/%72ooms"}, 404),
        ({"path": "/x/report/rooms", "raw_path": b"/x/report/rooms", "root_path": "/x"}, 200),
        ({"path": "/x/report/rooms", "root_path": "/x/"}, 200),
        ({"path": "/report/rooms", "raw_path": b"/report/rooms", "root_path": "/x"}, 200),
        ({"path": "/report/rooms", "raw_path": b"/report/rooms", "root_path": "/re"}, 200),
        ({"path": "/x", "root_path": "/x"}, 200),
        ({"path": "/xy/report/rooms", "root_path": "/x"}, 404),
        ({"path": "/rooms/ü", "raw_path": "/rooms/ü".encode("latin-1")}, 404),
    ],
)
async def test_what_a_server_leaves_out_is_made_up(kept: httpx.AsyncClient, scope: dict[str, Any], status: int) -> None:
    assert await called(kept, **scope) == status
