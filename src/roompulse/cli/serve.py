"""`roompulse serve`."""

import asyncio
import logging
import os
import shutil
import socket
import sys
from collections.abc import Mapping
from functools import partial

import click

from roompulse import __version__
from roompulse.access.exposure_at_start import exposure_remarks
from roompulse.app import create_app
from roompulse.engines import access_of
from roompulse.errors import StartupError
from roompulse.logs import set_up_logs
from roompulse.net import listen
from roompulse.settings import LOCAL_URL, PREFIX, Settings, load_settings, local_url, unknown_names, url_of
from roompulse.store.files import is_postgres
from roompulse.supervisor import Supervisor, end_with_parent
from roompulse.web.server.serve import run


@click.command()
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", help="Port to listen on; 0: any free port.  [default: 8180]")
@click.option("--data", help="Data folder.  [default: ./data]")
@click.option("--behind-proxy", is_flag=True, help="Access is controlled by a reverse proxy in front.")
@click.option("--open", "open_", is_flag=True, help="No access control, on any address.")
@click.option("--root-path", help="Path under which a reverse proxy serves it, such as /pulse.")
@click.option("--demo", is_flag=True, help="Serve a demo call at /demo/call.")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that share the port; they need PostgreSQL.")
@click.option("--listener", type=int, hidden=True, help="Serve as a worker, on the socket with this descriptor.")
def serve(
    host: str | None,
    port: str | None,
    data: str | None,
    root_path: str | None,
    workers: int | None,
    listener: int | None,
    *,
    behind_proxy: bool,
    open_: bool,
    demo: bool,
) -> None:
    """Serve the dashboard and the /report API.

    On other than loopback addresses, posting and reading need keys or a sign-in: see docs/access.md.

    Every setting can be set in the environment as ROOMPULSE_<NAME>: see docs/settings.md. With --workers, SIGHUP
    replaces all processes, one after the other, and no report is refused meanwhile: see docs/cluster.md.
    """
    # Before the settings are read, so that a mistyped name is reported even where another setting is wrong.
    set_up_logs("json" if os.environ.get(f"{PREFIX}LOG_FORMAT") == "json" else "text")
    for name in unknown_names(os.environ) if listener is None else ():
        logging.getLogger("roompulse").warning("%s is set, but there is no such setting", name)
    flags: dict[str, str | bool | None] = {"host": host, "port": port, "data": data, "root_path": root_path}
    flags |= {"behind_proxy": behind_proxy or None, "open": open_ or None, "demo": demo or None}
    try:
        settings = load_settings(os.environ, flags)
        if listener is not None:
            _serve_as_worker(settings, listener)
            return
        if workers is not None:
            _check_shared(settings)
        for remark in asyncio.run(exposure_remarks(settings, access_of(settings))):
            logging.getLogger("roompulse").warning(remark)
        with listen(settings.host, settings.port) as listening:
            if workers is None:
                run(create_app(settings), settings, listening, partial(_announce, settings))
            else:
                announce = partial(_announce, settings, *listening.getsockname()[:2])
                supervisor = Supervisor(_worker_command(flags, listening), listening.fileno(), workers, announce)
                sys.exit(0 if asyncio.run(supervisor.run()) else 1)
    except StartupError as error:
        raise click.ClickException(str(error)) from None


def _check_shared(settings: Settings) -> None:
    """Raises StartupError where several processes could not serve the same."""
    if not is_postgres(settings):
        raise StartupError(
            f"--workers needs PostgreSQL, as in {PREFIX}DATABASE_URL=postgresql://roompulse@127.0.0.1/roompulse: "
            "see docs/cluster.md"
        )
    if settings.demo:
        raise StartupError("--demo is for one process: its tokens are signed by a key in memory")


def _worker_command(flags: Mapping[str, str | bool | None], listener: socket.socket) -> list[str]:
    """The command of a worker with the same flags. It runs the version installed when it starts, such as an upgrade."""
    given = [(f"--{name.replace('_', '-')}", value) for name, value in flags.items() if value is not None]
    options = [name if value is True else f"{name}={value}" for name, value in given]
    return [sys.executable, "-m", "roompulse", "serve", *options, "--listener", str(listener.fileno())]


def _serve_as_worker(settings: Settings, descriptor: int) -> None:
    end_with_parent()
    with socket.socket(fileno=descriptor) as listener:
        run(create_app(settings), settings, listener, lambda *_: click.echo("ready"), drains=True)


def _announce(settings: Settings, host: str, port: int) -> None:
    place = access_of(settings).place if is_postgres(settings) else settings.data.resolve()
    click.echo(
        f"roompulse {__version__} serves {url_of(host, port)}, data in {place}\n"
        f"Fill it with simulated calls: {_how_to_simulate(local_url(host, port))}"
    )


def _how_to_simulate(url: str) -> str:
    """The command to run from here: by its path where its name is not found, as in a virtual environment."""
    name = click.get_current_context().find_root().info_name or ""
    called = name if " " in name or shutil.which(name) else sys.argv[0]
    return f"{called} simulate" if url == LOCAL_URL else f"{called} simulate {url}"
