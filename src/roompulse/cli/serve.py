"""`roompulse serve`."""

import asyncio
import gc
import logging
import os
import shutil
import signal
import socket
import sys
from typing import Any, cast

import click
import uvicorn
from litestar import Litestar

from roompulse import __version__
from roompulse.access.exposure import remarks_at_start
from roompulse.access.model import Known
from roompulse.access.store import AccessStore
from roompulse.app import create_app
from roompulse.cli.access import in_access
from roompulse.errors import StartupError
from roompulse.logs import set_up_logs
from roompulse.net import is_loopback, listen
from roompulse.settings import LOCAL_URL, PREFIX, Settings, load_settings, unknown_names
from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.server.access_log import AccessLog
from roompulse.web.server.fast_path import connection_class
from roompulse.web.server.protocol import KEEP_ALIVE

GRACE = 4
"""Seconds that a stopping server waits for requests under way."""

YOUNG_OBJECTS = 50_000
"""Objects after which Python looks for garbage in cycles, of which there is little: what is live is in none."""


@click.command()
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", help="Port to listen on; 0: any free port.  [default: 8180]")
@click.option("--data", help="Data folder.  [default: ./data]")
@click.option("--behind-proxy", is_flag=True, help="Access is controlled by a reverse proxy in front.")
@click.option("--open", "open_", is_flag=True, help="No access control, on any address.")
@click.option("--demo", is_flag=True, help="Serve a demo call at /demo/call.")
def serve(host: str | None, port: str | None, data: str | None, *, behind_proxy: bool, open_: bool, demo: bool) -> None:
    """Serve the dashboard and the /report API.

    On other than loopback addresses, posting and reading need keys or a sign-in: see docs/access.md.

    Every setting can be set in the environment as ROOMPULSE_<NAME>: see docs/settings.md.
    """
    # Before the settings are read, so that a mistyped name is told even where another setting is wrong.
    set_up_logs("json" if os.environ.get(f"{PREFIX}LOG_FORMAT") == "json" else "text")
    for name in unknown_names(os.environ):
        logging.getLogger("roompulse").warning("%s is set, but there is no such setting", name)
    flags: dict[str, str | bool | None] = {"host": host, "port": port, "data": data}
    flags |= {"behind_proxy": behind_proxy or None, "open": open_ or None, "demo": demo or None}
    try:
        settings = load_settings(os.environ, flags)
        _check_access(settings)
        with listen(settings.host, settings.port) as listener:
            _run(settings, listener)
    except StartupError as error:
        raise click.ClickException(str(error)) from None


def _check_access(settings: Settings) -> None:
    """Raises StartupError where others would get in by oversight."""
    reachable = not is_loopback(settings.host)
    known = in_access(settings, AccessStore.load) if reachable else Known()
    for remark in remarks_at_start(settings, known, reachable=reachable):
        logging.getLogger("roompulse").warning(remark)


def _run(settings: Settings, listener: socket.socket) -> None:
    app = create_app(settings)
    logged: Any = AccessLog(cast("Any", app), ClientAddresses(settings)) if settings.log_requests else app
    config = uvicorn.Config(
        logged,
        lifespan="off",  # run by _serve, so that a StartupError arrives there
        http=connection_class(settings, app.take, lambda: app.state.meters.readers_dropped.inc()),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
    )
    # uvicorn raises the signal that stopped it once more at its end, which is to be a normal one.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: None)
    gc.set_threshold(YOUNG_OBJECTS)
    gc.disable()  # until the rooms are rebuilt: they come to stay, and looking at them again and again doubles the time
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_serve(app, _Server(config, settings, app), listener))


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

    def __init__(self, config: uvicorn.Config, settings: Settings, app: Litestar) -> None:
        super().__init__(config)
        self._app = app
        self._settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        gc.freeze()
        gc.enable()
        await super().startup(sockets)
        for listener in sockets or ():
            host, port = listener.getsockname()[:2]
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            click.echo(
                f"roompulse {__version__} serves http://{where}, data in {self._settings.data.resolve()}\n"
                f"Fill it with simulated calls: {_how_to_simulate(f'http://{where}')}"
            )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.hub.close()
        await super().shutdown(sockets)
