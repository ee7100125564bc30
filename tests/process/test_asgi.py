"""`roompulse.asgi:app` where others run it: stock uvicorn, hypercorn, and an ASGI client in this process."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast, get_args

import httpx
import pytest
from benchmarks.processes import free_port
from sse_starlette.sse import AppStatus

from roompulse.asgi import EnvironmentApplication
from roompulse.settings import Settings
from tests.access import bearer, new_key, remove_key
from tests.builders import REFERENCE, body
from tests.process import DEADLINE, eventually
from tests.process.asgi import COMMANDS, AsgiProcess, AsgiServer, environment_of
from tests.process.test_streams import JSON_STREAM, PAGE_STREAMS, watching

SERVERS: tuple[AsgiServer, ...] = get_args(AsgiServer)
LOG = "roompulse.web.access_log"


@pytest.fixture(params=SERVERS)
def under(request: pytest.FixtureRequest) -> AsgiServer:
    return cast("AsgiServer", request.param)


@pytest.fixture
def server(tmp_path: Path, under: AsgiServer) -> Iterator[AsgiProcess]:
    settings = {"ROOMPULSE_BODY_TIMEOUT": "0.5", "ROOMPULSE_LOG_REQUESTS": "true", "ROOMPULSE_LOG_FORMAT": "json"}
    with AsgiProcess(tmp_path / "data", settings, under).running() as server:
        yield cast("AsgiProcess", server)
        # hypercorn has a traceback of its own for each connection that it cancels.
        assert "src/roompulse/" not in server.log.read_text()


def test_it_serves_all_and_its_streams_end_with_a_last_event(server: AsgiProcess) -> None:
    assert server.post(REFERENCE).status_code == 200
    assert server.get("/report/metrics/room-1").json()["data"]["users"][0]["quality"]["score"] == 4.37
    assert "4.37" in server.get("/rooms/room-1").text
    assert server.request("HEAD", JSON_STREAM).headers["content-type"].startswith("text/event-stream")
    with ExitStack() as stack:
        viewers = [stack.enter_context(watching(server, path)) for path in [JSON_STREAM, *PAGE_STREAMS]]
        for viewer in viewers:
            assert viewer.headers["x-accel-buffering"] == "no"
            assert viewer.next("ping", "room", "message").event == "ping"
            viewer.next("room", "message")
        server.post(body(report_time=1746616001))
        for viewer in viewers:
            viewer.next("room", "message")
        server.stop()
        for viewer in viewers:
            assert viewer.rest()[-1] == "bye"
    lines = [line for line in server.log.read_text().splitlines() if LOG in line]
    assert any(f'"path": "{JSON_STREAM}"' in line and '"status": 200' in line for line in lines)


def test_a_body_that_does_not_arrive_is_refused(server: AsgiProcess) -> None:
    head = f"POST /report/metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(REFERENCE)}\r\n\r\n".encode()
    for sent in (head, head + REFERENCE[:100]):
        with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE) as client:
            client.sendall(sent)
            assert client.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_a_stream_ends_when_its_key_is_removed(server: AsgiProcess) -> None:
    settings = Settings(data=server.data)
    key, secret = asyncio.run(new_key(settings, "read"))
    eventually(lambda: server.get("/report/rooms").status_code == 401)
    with watching(server, key=secret) as viewer:
        viewer.next("ping")
        asyncio.run(remove_key(settings, key))
        # A caller needs a key as long as one exists.
        asyncio.run(new_key(settings, "read"))
        assert viewer.rest()[-1] == "denied"
    assert server.get("/report/rooms", **bearer(secret)).status_code == 401


def ended(under: AsgiServer, data: Path, **settings: str) -> str:
    """The output of a server that does not start."""
    environment = environment_of(data, {f"ROOMPULSE_{name}": value for name, value in settings.items()})
    command = [sys.executable, "-m", *COMMANDS[under](free_port())]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False).stderr


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"PORT": "many"}, "ROOMPULSE_PORT: must be a whole number, not 'many'"),
        ({"HOST": "0.0.0.0"}, "0.0.0.0 can be reached from other machines"),  # noqa: S104
    ],
)
def test_a_setting_that_is_wrong_is_a_line(
    tmp_path: Path, under: AsgiServer, settings: dict[str, str], told: str
) -> None:
    said = ended(under, tmp_path / "data", **settings)
    assert [line for line in said.splitlines() if told in line]
    # hypercorn raises the message as its own error; ours is not in its traceback.
    assert "StartupError" not in said


# In this process


@asynccontextmanager
async def living(app: Any) -> AsyncIterator[list[Any]]:
    """Run the lifespan of an ASGI application as a server does; yields its messages."""
    asked: asyncio.Queue[Any] = asyncio.Queue()
    said: list[Any] = []
    answered = asyncio.Event()

    async def send(message: Any) -> None:
        said.append(message)
        answered.set()

    asked.put_nowait({"type": "lifespan.startup"})
    lifespan = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}}, asked.get, send))
    async with asyncio.timeout(DEADLINE):
        await answered.wait()
    try:
        yield said
    finally:
        asked.put_nowait({"type": "lifespan.shutdown"})
        async with asyncio.timeout(DEADLINE):
            await lifespan


@pytest.fixture
def app(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> EnvironmentApplication:
    monkeypatch.setenv("ROOMPULSE_DATA", str(settings.data))
    return EnvironmentApplication()


def client_of(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


class Stream:
    """A stream by ASGI only, with only the required keys in its scope."""

    def __init__(self, app: Any, path: str) -> None:
        self._sent: asyncio.Queue[Any] = asyncio.Queue()
        self._left = asyncio.Event()
        scope: Any = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": path}
        scope |= {"query_string": b"", "headers": [(b"host", b"localhost")]}
        self._task = asyncio.create_task(app(scope, self._receive, self._sent.put))

    async def _receive(self) -> Any:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def next(self) -> Any:
        async with asyncio.timeout(DEADLINE):
            return await self._sent.get()

    async def body(self, wanted: bytes) -> bytes:
        """The next piece that has this in it."""
        while wanted not in (piece := (await self.next()).get("body", b"")):
            pass
        return cast("bytes", piece)

    async def leave(self) -> None:
        self._left.set()
        async with asyncio.timeout(DEADLINE):
            await self._task


async def test_asgi_transport_serves_it(app: EnvironmentApplication) -> None:
    async with living(app), client_of(app) as client:
        assert (await client.post("/report/metrics", content=REFERENCE)).status_code == 200
        assert (await client.get("/report/rooms")).json()["data"] == ["room-1"]
        stream = Stream(app, JSON_STREAM)
        assert (await stream.next())["status"] == 200
        assert b"event: room" in await stream.body(b'"packet_loss":0.3')
        await client.post("/report/metrics", content=REFERENCE.replace(b'"packet_loss":0.3', b'"packet_loss":7'))
        assert b"event: room" in await stream.body(b'"packet_loss":7')
        await stream.leave()
        assert b"roompulse_viewers 0.0" in (await client.get("/metrics")).content


async def test_streams_end_when_sse_starlette_sees_that_the_server_stops(
    app: EnvironmentApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with living(app), client_of(app) as client:
        stream = Stream(app, "/stream")
        await stream.body(b"event: ping")
        monkeypatch.setattr(AppStatus, "should_exit", True)
        await stream.body(b"event: bye")
        assert not (await stream.next())["more_body"]
        assert (await client.get("/readyz")).status_code == 503
    async with living(app):  # of a server that starts later in the same process
        stream = Stream(app, "/stream")
        await stream.body(b"event: ping")
        await stream.body(b"rooms")
        await stream.leave()


async def test_a_stream_that_is_cancelled_has_a_last_event(app: EnvironmentApplication) -> None:
    async with living(app):
        stream = Stream(app, "/stream")
        await stream.body(b"event: ping")
        stream._task.cancel()
        await stream.body(b"event: bye")
        with pytest.raises(asyncio.CancelledError):
            await stream._task


async def test_a_viewer_that_does_not_read_is_dropped(
    app: EnvironmentApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOMPULSE_SEND_TIMEOUT", "0.01")
    async with living(app), client_of(app) as client:
        scope: Any = {"type": "http", "http_version": "1.1", "method": "GET", "path": "/stream", "query_string": b""}
        never = asyncio.Event()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                await never.wait()

        async with asyncio.timeout(DEADLINE):
            await app(scope | {"headers": [(b"host", b"localhost")]}, never.wait, send)
        assert b"roompulse_readers_dropped_total 1.0" in (await client.get("/metrics")).content


async def test_a_start_that_fails_is_said_in_a_line(
    app: EnvironmentApplication, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.data.mkdir(exist_ok=True)
    (settings.data / "roompulse.db").write_text("no database")
    async with living(app) as said:
        (message,) = said
        assert message["type"] == "lifespan.startup.failed"
        assert len(message["message"].splitlines()) == 1
        assert "roompulse.db" in message["message"]


async def test_without_a_lifespan_it_says_what_is_missing(app: EnvironmentApplication) -> None:
    with pytest.raises(RuntimeError, match="lifespan"):
        await app({"type": "http"}, None, None)


async def test_it_speaks_no_websocket(app: EnvironmentApplication) -> None:
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    async with living(app):
        await app({"type": "websocket", "path": "/"}, None, send)
    assert said == [{"type": "websocket.close", "code": 1000}]


async def test_a_request_that_arrives_where_others_reach_is_refused_unless_host_says_so(
    app: EnvironmentApplication,
) -> None:
    async with living(app), client_of(app) as client:
        assert (await client.get("http://192.0.2.1/report/rooms")).status_code == 403
        assert (await client.get("http://127.0.0.1/report/rooms")).status_code == 200
