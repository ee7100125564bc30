"""`roompulse simulate` against a real server."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from unittest.mock import patch

import click
import pytest
from click.testing import CliRunner

from roompulse.cli import main
from roompulse.cli.serve import _how_to_simulate
from roompulse.cli.simulate import _served_here
from roompulse.settings import LOCAL_URL
from tests.process import DEADLINE, eventually
from tests.process.test_keys import add_key
from tests.process.test_start import COMMAND, environment, run
from tests.server import Server


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run("simulate", *arguments)


def live(server: Server) -> list[str]:
    rooms: list[str] = server.get("/report/rooms").json()["data"]
    return rooms


def test_rooms_and_users_appear(server: Server) -> None:
    ended = simulate(server.url, "--rooms", "3", "--users", "4", "--interval", "0.5", "--duration", "2")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert live(server) == ["all-hands", "design-review", "standup-berlin"]
    for room_id in live(server):
        room = server.get(f"/report/metrics/{room_id}").json()["data"]
        assert 2 <= len(room["users"]) <= 4
        assert all(user["quality"]["score"] for user in room["users"])
    *_, last = ended.stdout.splitlines()
    assert "in 3 rooms: " in last
    assert last.endswith(" delivered, 0 lost")
    assert "\r" not in ended.stdout


def test_it_goes_on_until_it_is_interrupted_and_ends_well(server: Server) -> None:
    command = [*COMMAND, "simulate", server.url, "--rooms", "2", "--interval", "0.2"]
    with subprocess.Popen(command, env=environment({}), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert eventually(lambda: len(live(server)) == 2)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=DEADLINE)
    assert (process.returncode, errors) == (0, b"")
    assert b"in 2 rooms: " in output


def test_on_a_terminal_one_line_is_rewritten(server: Server) -> None:
    terminal, end = pty.openpty()
    command = [*COMMAND, "simulate", server.url, "--rooms", "2", "--interval", "0.2"]
    with subprocess.Popen(command, env=environment({}), stdout=end, stderr=end, stdin=end) as process:
        os.close(end)
        output = b""
        while b" delivered" not in output:
            output += os.read(terminal, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 0
    os.close(terminal)
    assert b"\n" not in output
    assert output.startswith(b"\r")


def test_where_there_is_no_server_it_ends_and_says_so() -> None:
    ended = simulate("http://127.0.0.1:1", "--rooms", "1")
    assert ended.returncode == 1
    assert "no report could be delivered: cannot reach http://127.0.0.1:1: connection refused" in ended.stderr
    assert "roompulse serve" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_where_there_is_another_server_it_says_what_that_answers(server: Server) -> None:
    ended = simulate(f"{server.url}/nothing", "--rooms", "1", "--duration", "0.5", "--interval", "0.2")
    assert ended.returncode == 1
    assert "answers 404" in ended.stderr


@pytest.mark.parametrize("by", ["option", "environment"])
def test_it_shows_a_key_where_one_is_asked_for(make_server: Callable[..., Server], by: str) -> None:
    server = make_server()
    key = add_key(server, "ingest")
    with server.running():
        arguments = (server.url, "--rooms", "1", "--duration", "0.5", "--interval", "0.2")
        refused = simulate(*arguments)
        assert refused.returncode == 1
        assert "401: send an ingest key" in refused.stderr
        ended = simulate(*arguments, "--key", key) if by == "option" else run("simulate", *arguments, KEY=key)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert len(live(server)) == 1
        assert key not in ended.stdout


def test_a_server_that_goes_away_and_comes_back_loses_nothing(server: Server) -> None:
    command = [*COMMAND, "simulate", server.url, "--rooms", "2", "--interval", "1"]
    with subprocess.Popen(command, env=environment({}), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert eventually(lambda: live(server))
        server.kill()
        server.start()
        assert eventually(lambda: len(live(server)) == 2)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=DEADLINE)
    assert (process.returncode, errors) == (0, b"")
    assert output.endswith(b" delivered, 0 lost\n")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["127.0.0.1"], "is not the URL of a server"),
        (["--trouble", "gremlins"], "'wifi-uplink'"),
        (["--rooms", "0"], "--rooms"),
        (["--interval", "0"], "--interval"),
        (["--key", "no key"], "the key has invalid characters"),
    ],
)
def test_wrong_arguments_are_refused(arguments: list[str], named: str) -> None:
    ended = CliRunner().invoke(main, ["simulate", *arguments])
    assert ended.exit_code == 2
    assert named in ended.output


def test_it_is_listed() -> None:
    assert "simulate" in run("--help").stdout


def test_serve_says_how_to_start_it(server: Server) -> None:
    assert server._process
    assert server._process.stdout
    second = server._process.stdout.readline().decode()
    assert second == f"Fill it with simulated calls: python -m roompulse simulate {server.url}\n"


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({"HOST": "::1", "PORT": "1"}, "http://[::1]:1"),
        ({"HOST": "0.0.0.0", "PORT": "2"}, "http://127.0.0.1:2"),  # noqa: S104  (not to listen there)
        ({}, LOCAL_URL),
    ],
)
def test_without_a_url_it_is_the_server_of_the_settings(variables: dict[str, str], url: str) -> None:
    with patch.dict(os.environ, {f"ROOMPULSE_{name}": value for name, value in variables.items()}):
        assert _served_here() == url


def test_a_wrong_setting_is_named() -> None:
    with patch.dict(os.environ, {"ROOMPULSE_PORT": "http"}):
        ended = CliRunner().invoke(main, ["simulate"])
    assert (ended.exit_code, ended.output) == (1, "Error: ROOMPULSE_PORT: must be a whole number, not 'http'\n")


@pytest.mark.parametrize(
    ("name", "url", "said"),
    [
        ("python -m roompulse", LOCAL_URL, "python -m roompulse simulate"),
        ("sh", LOCAL_URL, "sh simulate"),  # a name that is found
        ("no-such-command", "http://[::1]:8181", ".venv/bin/roompulse simulate http://[::1]:8181"),
    ],
)
def test_it_is_named_as_it_can_be_called(monkeypatch: pytest.MonkeyPatch, name: str, url: str, said: str) -> None:
    monkeypatch.setattr(sys, "argv", [".venv/bin/roompulse", "serve"])
    with click.Context(main, info_name=name).scope():
        assert _how_to_simulate(url) == said
