"""The imports of commands: the libraries of the server take longer to import than a command runs."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import pytest

from roompulse.cli import COMMANDS, main

SERVER = {"litestar", "uvicorn", "sse_starlette", "jinja2", "prometheus_client", "structlog", "httpx", "roompulse.app"}
DATABASE = {"sqlalchemy", "alembic", "aiosqlite"}
CRYPTOGRAPHY = {"argon2", "jwt"}

RUN = """
import sys
from roompulse.cli import main
try:
    main(sys.argv[1:])
finally:
    sys.stderr.write("imported " + " ".join(sys.modules))
"""


def imported(data: Path, arguments: Sequence[str]) -> set[str]:
    command = [sys.executable, "-c", RUN, *(str(data) if argument == "DATA" else argument for argument in arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return set(ended.stderr.rpartition("imported ")[2].split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["key", "--help"], ["key", "add", "--help"]])
def test_help_needs_no_library_but_click_and_msgspec(tmp_path: Path, arguments: list[str]) -> None:
    assert imported(tmp_path, arguments) & (SERVER | DATABASE | CRYPTOGRAPHY | {"asyncio"}) == set()


@pytest.mark.parametrize("command", ["user", "token", "check", "backup"])
def test_help_of_the_other_small_commands_needs_neither_server_nor_database(tmp_path: Path, command: str) -> None:
    assert imported(tmp_path, [command, "--help"]) & (SERVER | DATABASE) == set()


def test_a_check_needs_neither_server_nor_database(tmp_path: Path) -> None:
    assert imported(tmp_path, ["check", "--data", "DATA", "--port", "0"]) & (SERVER | DATABASE) == set()


def test_access_control_needs_sqlalchemy_alone_once_its_database_is_there(tmp_path: Path) -> None:
    key = ["key", "add", "a program", "--for", "token", "--data", "DATA"]
    token = ["token", "--room", "room-1", "--user", "u1", "--data", "DATA"]
    assert "alembic" in imported(tmp_path, key)
    for command in (key, token, ["user", "list", "--data", "DATA"]):
        found = imported(tmp_path, command)
        assert "sqlalchemy" in found
        assert found & (SERVER | {"alembic", "aiosqlite", "sqlalchemy.ext.asyncio", "sqlalchemy.orm"}) == set()


def test_the_list_of_commands_says_what_each_says_of_itself() -> None:
    context = click.Context(main, info_name="roompulse")
    for name, (_, text) in COMMANDS.items():
        command = main.get_command(context, name)
        assert command
        assert command.name == name
        assert command.get_short_help_str(limit=200) == text


def test_every_file_of_a_command_is_listed() -> None:
    folder = Path(sys.modules["roompulse.cli"].__file__ or "").parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "access"}
    assert {place.rpartition(":")[0].rpartition(".")[2] for place, _ in COMMANDS.values()} == files
