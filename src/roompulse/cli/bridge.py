"""`roompulse bridge`."""

import signal
from threading import Event

import click

from roompulse.bridge.run import Bridge, receiver, run
from roompulse.client import Reporter
from roompulse.settings import LOCAL_URL


@click.group()
def bridge() -> None:
    """Report a media server's measurements."""


@bridge.command(context_settings={"show_default": True})
@click.argument("url", default=LOCAL_URL)
@click.option("--host", default="127.0.0.1", help="Where Janus posts its events: an address of this machine.")
@click.option("--port", default=8181, type=click.IntRange(0, 65535), help="0: one that is free.")
@click.option("--interval", metavar="SECONDS", default=5.0, type=click.FloatRange(1, 60), help="Between two reports.")
@click.option("--key", envvar="ROOMPULSE_KEY", help="An ingest key; safer in ROOMPULSE_KEY, since `ps` shows options.")
def janus(url: str, host: str, port: int, interval: float, key: str | None) -> None:
    """Post the video rooms of a Janus, whose HTTP event handler (sampleevh) posts here.

    URL is the address of roompulse. Any client of the port can forge events: keep it on this machine.
    """
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        reporter = Reporter(url, key=key)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL or --key") from None
    with reporter:
        bridge = Bridge(reporter)
        try:
            server = receiver(host, port, bridge)
        except OSError as error:
            raise click.ClickException(f"cannot listen on {host} port {port}: {error.strerror}") from None
        click.echo(f"Janus' events are taken at http://{host}:{server.server_port}/, reports go to {url}")
        run(server, bridge, interval, stopped)
