import gc
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar

from roompulse.app import create_app
from roompulse.clock import WallClock
from roompulse.settings import Settings
from roompulse.store.files import is_postgres
from roompulse.web.application import Application
from tests.builders import NOW
from tests.databases import make_databases
from tests.postgres_server import ENGINE, WORKERS, InTurn, database, postgres
from tests.server import Server
from tests.signatures import work_out_once

work_out_once()

API = Path(__file__).parent / "api"


class Clock(WallClock):
    """A clock that only a test moves. A change of `now` is time that passes; `set_by` sets the clock."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now
        self._set = 0.0
        super().__init__(lambda: self.now, lambda: self.now - self._set)

    def advance(self, seconds: float) -> None:
        self.now += seconds

    def set_by(self, seconds: float) -> None:
        self.now += seconds
        self._set += seconds


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the slow tests, so that none is left to one worker when the others have nothing more to do.

    On PostgreSQL, leave out all but the API tests, and of these the tests of one process.
    """
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    if ENGINE == "postgres":
        chosen = [item for item in items if item.path.parent == API and not item.get_closest_marker("one_process")]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen


def pytest_collection_finish() -> None:
    """Exclude collected tests from garbage collection, which otherwise takes a third of the time."""
    gc.freeze()


@asynccontextmanager
async def client_of(app: Application | Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that runs in this process."""
    transport = httpx.ASGITransport(cast("Any", app))  # the same protocol, typed twice
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests and fixtures run by anyio's plugin, which keeps the lifespan of an application in one task."""
    return "asyncio"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@asynccontextmanager
async def serving(settings: Settings, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application in this process; on PostgreSQL, of several in turn."""
    applications = [create_app(settings, clock) for _ in range(WORKERS if is_postgres(settings) else 1)]
    async with AsyncExitStack() as stack:
        for application in applications:
            await stack.enter_async_context(application.lifespan())
        transports = [httpx.ASGITransport(cast("Any", one)) for one in applications]  # the same protocol, typed twice
        transport = InTurn(transports) if len(transports) > 1 else transports[0]
        client = httpx.AsyncClient(transport=transport, base_url="http://localhost")
        yield await stack.enter_async_context(client)


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Settings of an application with existing, empty databases."""
    if ENGINE == "postgres":
        with database(request.getfixturevalue("postgres_url")) as url:
            yield Settings(data=tmp_path / "data", database_url=url)
    else:
        make_databases(tmp_path / "data")
        yield Settings(data=tmp_path / "data")


@pytest.fixture
async def client(settings: Settings, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, which uses `clock`."""
    async with serving(settings, clock) as client:
        yield client


@pytest.fixture(scope="session")
def make_settings(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Callable[[], Settings]]:
    """Make settings like those of `settings`, for fixtures of more than one test."""
    # Asked for here, so that the server outlives the databases.
    postgres_url = request.getfixturevalue("postgres_url") if ENGINE == "postgres" else ""
    with ExitStack() as stack:

        def make() -> Settings:
            data = tmp_path_factory.mktemp("kept") / "data"
            if ENGINE == "postgres":
                return Settings(data=data, database_url=stack.enter_context(database(postgres_url)))
            make_databases(data)
            return Settings(data=data)

        yield make


@pytest.fixture(scope="module")
def kept_clock() -> Clock:
    """The clock of `kept`. Where a test of a module advances it, all others begin at whatever time it is."""
    return Clock()


@pytest.fixture(scope="module")
async def kept(make_settings: Callable[[], Settings], kept_clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    """A client of one application for all tests of a module that do not mind each other: to make one takes longest."""
    async with serving(make_settings(), kept_clock) as client:
        yield client


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="roompulse-") as folder, postgres(Path(folder)) as url:
        yield url


@pytest.fixture
def make_server(tmp_path: Path) -> Callable[..., Server]:
    """Make real servers (not started yet), with settings as in `make_server(LEAVE_AFTER=2)`."""
    count = 0

    def make(**settings: Any) -> Server:
        nonlocal count
        count += 1
        environment = {f"ROOMPULSE_{name}": str(value) for name, value in settings.items()}
        data = tmp_path / f"server-{count}"
        make_databases(data)
        return Server(data, environment)

    return make


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Iterator[Server]:
    with make_server().running() as server:
        yield server
