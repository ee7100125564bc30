"""The command `roompulse`: each of its commands is a file."""

import click

from roompulse import __version__
from roompulse.cli.backup import backup
from roompulse.cli.check import check
from roompulse.cli.importing import import_
from roompulse.cli.key import key
from roompulse.cli.serve import serve
from roompulse.cli.simulate import simulate
from roompulse.cli.token import token
from roompulse.cli.user import user


@click.group(commands=[serve, simulate, import_, key, token, user, backup, check])
@click.version_option(__version__, prog_name="roompulse")
def main() -> None:
    """Live quality monitoring of video-call rooms."""
