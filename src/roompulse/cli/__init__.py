"""The command `roompulse`: each of its commands is a file, which is imported when the command is called."""

from importlib import import_module
from typing import cast

import click

from roompulse import __version__

COMMANDS = {
    "backup": ("roompulse.cli.backup:backup", "Copy the database to FILE, while a server may be running on it."),
    "bridge": ("roompulse.cli.bridge:bridge", "Report a media server's measurements."),
    "check": ("roompulse.cli.check:check", "Find problems with the settings, the machine and the database."),
    "erase": ("roompulse.cli.erase:erase", "Erase the data of a room or a user."),
    "import": ("roompulse.cli.importing:import_", "Import recorded calls as ended rooms."),
    "key": ("roompulse.cli.key:key", "Add, list and remove API keys."),
    "migrate-to": ("roompulse.cli.migrate_to:migrate_to", "Copy everything from SQLite to PostgreSQL."),
    "serve": ("roompulse.cli.serve:serve", "Serve the dashboard and the /report API."),
    "simulate": ("roompulse.cli.simulate:simulate", "Fill a server with simulated calls."),
    "token": ("roompulse.cli.token:token", "Print a room token, to post for one user in one room."),
    "user": ("roompulse.cli.user:user", "Add, change and remove operators, who sign in with a password."),
}
"""The module of each command, and the first sentence of its help: listing the commands imports none."""


class LazyGroup(click.Group):
    """Imports a command when it is called: the server's libraries take longer to import than other commands run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        return cast("click.Command", getattr(import_module(module), name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup)
@click.version_option(__version__, prog_name="roompulse")
def main() -> None:
    """Live quality monitoring of video-call rooms."""
