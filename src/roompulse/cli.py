"""The command `roompulse`."""

import asyncio
import logging
import os
import shutil
import signal
import socket
import sys

import click
import uvicorn
from litestar import Litestar

from roompulse import __version__
from roompulse.app import create_app
from roompulse.client import AsyncReporter
from roompulse.errors import StartupError
from roompulse.settings import Settings, load_settings, unknown_names
from roompulse.simulate.progress import Progress
from roompulse.simulate.rooms import Plan
from roompulse.simulate.run import Tally
from roompulse.simulate.run import simulate as run_simulation
from roompulse.simulate.troubles import TROUBLES

KEEP_ALIVE = 75
"""Seconds that an idle connection is kept: longer than an SDK waits between two reports."""

GRACE = 4
"""Seconds that a stopping server waits for requests under way."""

LOCAL_URL = f"http://{Settings().host}:{Settings().port}"


@click.group()
@click.version_option(__version__, prog_name="roompulse")
def main() -> None:
    """Live quality monitoring of video-call rooms."""


@main.command()
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", help="Port to listen on; 0 takes a free one.  [default: 8180]")
@click.option("--data", help="Folder of the database.  [default: ./data]")
def serve(host: str | None, port: str | None, data: str | None) -> None:
    """Serve the dashboard and the /report API.

    Every setting is also read from the environment, as ROOMPULSE_<NAME>: see docs/settings.md.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("roompulse").setLevel(logging.INFO)
    for name in unknown_names(os.environ):
        logging.getLogger("roompulse").warning("%s is set, but there is no such setting", name)
    try:
        settings = load_settings(os.environ, {"host": host, "port": port, "data": data})
        with _listen(settings) as listener:
            _run(settings, listener)
    except StartupError as error:
        raise click.ClickException(str(error)) from None


@main.command(context_settings={"show_default": True})
@click.argument("url", default=LOCAL_URL)
@click.option("--rooms", metavar="N", default=12, type=click.IntRange(1, 10_000), help="How many rooms.")
@click.option("--users", metavar="N", default=6, type=click.IntRange(1, 10_000), help="Most users of a room.")
@click.option("--interval", metavar="SECONDS", default=2.0, type=click.FloatRange(0.1, 60), help="Between two reports.")
@click.option("--seed", metavar="N", default=1, help="Another number gives other calls.")
@click.option("--duration", metavar="SECONDS", default=0.0, type=click.FloatRange(0), help="0 is until Ctrl-C.")
@click.option(
    "--trouble",
    "troubles",
    multiple=True,
    type=click.Choice([*TROUBLES, "none"]),
    show_default="each in turn",
    help="What every other room suffers from now and then. Give several for several.",
)
def simulate(
    url: str, rooms: int, users: int, interval: float, seed: int, duration: float, troubles: tuple[str, ...]
) -> None:
    """Fill a server with simulated calls.

    URL is that of the server.  [default: http://127.0.0.1:8180]

    A server takes 200 reports a second from one address, unless its ROOMPULSE_SENDER_RATE says otherwise.
    """
    chosen = tuple(name for name in troubles or TROUBLES if name != "none")
    progress, tally = Progress(), Tally()
    try:
        reporter = AsyncReporter(url, on_error=tally.note)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL") from None
    plan = Plan(rooms, users, interval, seed, chosen)
    asyncio.run(run_simulation(reporter, plan, duration, tally, progress.tell))
    progress.end(tally)
    if not tally.delivered:
        reason = tally.problem or "it ended before the first report"
        raise click.ClickException(f"nothing could be delivered: {reason}. Is this where `roompulse serve` runs?")


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]
        raise StartupError(f"cannot listen on {settings.host} port {settings.port}: {reason}") from None


def _run(settings: Settings, listener: socket.socket) -> None:
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        lifespan="off",  # run by _serve, so that a StartupError arrives there
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    # uvicorn raises the signal that stopped it once more at its end, which is to be a normal one.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: None)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_serve(app, _Server(config, settings), listener))


async def _serve(app: Litestar, server: uvicorn.Server, listener: socket.socket) -> None:
    try:
        async with app.lifespan():
            await server.serve(sockets=[listener])
    except ExceptionGroup as group:
        # Litestar runs its lifespan in a task group, which wraps what is raised there.
        if startup := group.subgroup(StartupError):
            raise startup.exceptions[0] from None
        raise


def _how_to_simulate(url: str) -> str:
    """The command that does it from here: by its path where its name is not found, as in a virtual environment."""
    name = click.get_current_context().find_root().info_name or ""
    called = name if " " in name or shutil.which(name) else sys.argv[0]
    return f"{called} simulate" if url == LOCAL_URL else f"{called} simulate {url}"


class _Server(uvicorn.Server):
    """Says where it listens, and ends the streams as soon as it is told to stop."""

    def __init__(self, config: uvicorn.Config, settings: Settings) -> None:
        super().__init__(config)
        self._settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            host, port = listener.getsockname()[:2]
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            click.echo(
                f"roompulse {__version__} serves http://{where}, data in {self._settings.data.resolve()}\n"
                f"Fill it with simulated calls: {_how_to_simulate(f'http://{where}')}"
            )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        assert isinstance(self.config.app, Litestar)  # noqa: S101  (tells mypy)
        self.config.app.state.hub.close()
        await super().shutdown(sockets)
