"""`roompulse check`."""

import os
import sys

import click

from roompulse.checking.run import check as check_everything
from roompulse.clock import system_clock
from roompulse.net import listen


@click.command()
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", help="Port to listen on.  [default: 8180]")
@click.option("--data", help="Data folder.  [default: ./data]")
@click.option("--full", is_flag=True, help="Also compare indexes with tables (slower).")
def check(host: str | None, port: str | None, data: str | None, *, full: bool) -> None:
    """Find problems with the settings, the machine and the database.

    Run it as the same user and with the same environment and flags as `roompulse serve`. It changes nothing, and a
    server may be running. Each line begins with ok, warning or error; the exit code is 1 if there is an error, else 0.
    """
    flags = {"host": host, "port": port, "data": data}
    failed = False
    for finding in check_everything(os.environ, flags, listen, system_clock, full=full):
        click.echo(f"{finding.level:<8} {finding.text}")
        failed = failed or finding.level == "error"
    sys.exit(failed)
