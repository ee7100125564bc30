"""`roompulse serve`."""

import asyncio
import logging
import os
import shutil
import sys
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
from roompulse.web.server.serve import run


@click.command()
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", help="Port to listen on; 0: any free port.  [default: 8180]")
@click.option("--data", help="Data folder.  [default: ./data]")
@click.option("--behind-proxy", is_flag=True, help="Access is controlled by a reverse proxy in front.")
@click.option("--open", "open_", is_flag=True, help="No access control, on any address.")
@click.option("--root-path", help="Path under which a reverse proxy serves it, such as /pulse.")
@click.option("--demo", is_flag=True, help="Serve a demo call at /demo/call.")
def serve(
    host: str | None,
    port: str | None,
    data: str | None,
    root_path: str | None,
    *,
    behind_proxy: bool,
    open_: bool,
    demo: bool,
) -> None:
    """Serve the dashboard and the /report API.

    On other than loopback addresses, posting and reading need keys or a sign-in: see docs/access.md.

    Every setting can be set in the environment as ROOMPULSE_<NAME>: see docs/settings.md.
    """
    # Before the settings are read, so that a mistyped name is told even where another setting is wrong.
    set_up_logs("json" if os.environ.get(f"{PREFIX}LOG_FORMAT") == "json" else "text")
    for name in unknown_names(os.environ):
        logging.getLogger("roompulse").warning("%s is set, but there is no such setting", name)
    flags: dict[str, str | bool | None] = {"host": host, "port": port, "data": data, "root_path": root_path}
    flags |= {"behind_proxy": behind_proxy or None, "open": open_ or None, "demo": demo or None}
    try:
        settings = load_settings(os.environ, flags)
        for remark in asyncio.run(exposure_remarks(settings, access_of(settings))):
            logging.getLogger("roompulse").warning(remark)
        with listen(settings.host, settings.port) as listener:
            run(create_app(settings), settings, listener, partial(_announce, settings))
    except StartupError as error:
        raise click.ClickException(str(error)) from None


def _announce(settings: Settings, host: str, port: int) -> None:
    click.echo(
        f"roompulse {__version__} serves {url_of(host, port)}, data in {settings.data.resolve()}\n"
        f"Fill it with simulated calls: {_how_to_simulate(local_url(host, port))}"
    )


def _how_to_simulate(url: str) -> str:
    """The command that does it from here: by its path where its name is not found, as in a virtual environment."""
    name = click.get_current_context().find_root().info_name or ""
    called = name if " " in name or shutil.which(name) else sys.argv[0]
    return f"{called} simulate" if url == LOCAL_URL else f"{called} simulate {url}"
