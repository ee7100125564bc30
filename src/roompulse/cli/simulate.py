"""`roompulse simulate`."""

import asyncio
import os

import click

from roompulse.client import AsyncReporter
from roompulse.errors import StartupError
from roompulse.settings import load_settings, local_url
from roompulse.simulate.progress import Progress
from roompulse.simulate.rooms import Plan
from roompulse.simulate.run import Tally
from roompulse.simulate.run import simulate as run_simulation
from roompulse.simulate.troubles import FAULTS, TROUBLES


def _served_here() -> str:
    """The URL of a server on this machine with the settings of the environment."""
    try:
        settings = load_settings(os.environ, {})
    except StartupError as error:
        raise click.ClickException(str(error)) from None
    return local_url(settings.host, settings.port)


@click.command(context_settings={"show_default": True})
@click.argument("url", default=_served_here)
@click.option("--rooms", metavar="N", default=12, type=click.IntRange(1, 10_000), help="Number of rooms.")
@click.option("--users", metavar="N", default=6, type=click.IntRange(1, 10_000), help="Most users of a room.")
@click.option(
    "--interval",
    metavar="SECONDS",
    default=2.0,
    type=click.FloatRange(0.1, 60),
    help="Between two reports.",
)
@click.option(
    "--key",
    envvar="ROOMPULSE_KEY",
    help="An ingest key; safer in ROOMPULSE_KEY, since `ps` shows options.",
)
@click.option("--seed", metavar="N", default=1, help="Seed of the random numbers.")
@click.option("--duration", metavar="SECONDS", default=0.0, type=click.FloatRange(0), help="0: until Ctrl-C.")
@click.option(
    "--trouble",
    "troubles",
    multiple=True,
    type=click.Choice([*TROUBLES, *FAULTS, "none"]),
    show_default="each of rooms in turn",
    help="Intermittent trouble of every other room or, for bad-…, of a quarter of all users; may be repeated.",
)
def simulate(
    url: str,
    rooms: int,
    users: int,
    interval: float,
    key: str | None,
    seed: int,
    duration: float,
    troubles: tuple[str, ...],
) -> None:
    """Fill a server with simulated calls.

    URL is the address of the server.  [default: where ROOMPULSE_HOST and ROOMPULSE_PORT say, http://127.0.0.1:8180]

    A server accepts 200 reports a second from one address, unless ROOMPULSE_SENDER_RATE is set otherwise there.
    """
    of_rooms = tuple(name for name in troubles or TROUBLES if name in TROUBLES)
    of_users = tuple(name for name in troubles if name in FAULTS)
    progress, tally = Progress(), Tally()
    try:
        reporter = AsyncReporter(url, key=key, on_error=tally.note)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL or --key") from None
    plan = Plan(rooms, users, interval, seed, of_rooms, of_users)
    asyncio.run(run_simulation(reporter, plan, duration, tally, progress.show))
    progress.end(tally)
    if not tally.delivered:
        reason = tally.problem or "it was stopped before the first report"
        raise click.ClickException(f"no report could be delivered: {reason}. Is `roompulse serve` running there?")
