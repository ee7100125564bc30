"""`roompulse key` and `roompulse token` beside a server that runs, which follows within seconds."""

import re
import stat
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from roompulse.cli import main
from tests.access import bearer
from tests.api import assert_problem
from tests.builders import REFERENCE
from tests.process import eventually
from tests.process.test_start import run
from tests.process.test_streams import JSON_STREAM, PAGE_STREAMS, watching
from tests.server import Server

SHOWN = r"rp_[a-z0-9]{10}_[A-Za-z0-9_-]{43}"


def ran(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    ended = run(*arguments, "--data", str(server.data))
    assert ended.returncode == 0, ended.stderr
    return ended


def add_key(server: Server, kind: str) -> str:
    return ran(server, "key", "add", "a program", "--for", kind).stdout.strip()


def post_with(server: Server, shown: str) -> int:
    return server.post(REFERENCE, **bearer(shown)).status_code


def test_a_running_server_asks_once_there_is_a_key_and_no_more_once_it_is_removed(server: Server) -> None:
    assert server.post(REFERENCE).status_code == 200
    shown = add_key(server, "ingest")
    assert re.fullmatch(SHOWN, shown)
    assert eventually(lambda: server.post(REFERENCE).status_code == 401)
    assert post_with(server, shown) == 200
    listed = ran(server, "key", "list").stdout
    key_id = shown.split("_")[1]
    assert re.fullmatch(rf"{key_id}  ingest  \d{{4}}-\d\d-\d\d \d\d:\d\d  a program\n", listed)
    assert "Removed" in ran(server, "key", "remove", key_id).stderr
    assert ran(server, "key", "list").stdout == ""
    assert eventually(lambda: server.post(REFERENCE).status_code == 200)
    assert "rp_" not in server.log.read_text()


def test_a_removed_key_lets_nobody_in_while_another_does(server: Server) -> None:
    old, new = (add_key(server, "ingest") for _ in range(2))
    assert eventually(lambda: server.post(REFERENCE).status_code == 401 and post_with(server, new) == 200)
    assert post_with(server, old) == 200
    ran(server, "key", "remove", old.split("_")[1])
    assert eventually(lambda: post_with(server, old) == 401)
    assert post_with(server, new) == 200


def test_a_token_is_printed_alone_and_the_first_one_makes_its_key(server: Server) -> None:
    ended = ran(server, "token", "--room", "room-1", "--user", "u1")
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", ended.stdout)
    assert "key" in ended.stderr
    assert eventually(lambda: server.post(REFERENCE).status_code == 401)
    assert post_with(server, ended.stdout.strip()) == 200
    again = ran(server, "token", "--room", "room-2", "--user", "u1", "--ttl", "30s")
    assert again.stderr == ""
    assert_problem(server.post(REFERENCE, **bearer(again.stdout.strip())), 403, "$.room_id")
    assert len(ran(server, "key", "list").stdout.splitlines()) == 1


def test_the_newest_key_signs_and_the_older_ones_hold(server: Server) -> None:
    before = ran(server, "token", "--room", "room-1", "--user", "u1").stdout.strip()
    newer = add_key(server, "token")
    after = ran(server, "token", "--room", "room-1", "--user", "u1").stdout.strip()
    assert eventually(lambda: post_with(server, after) == 200)
    assert post_with(server, before) == 200
    ran(server, "key", "remove", newer.split("_")[1])
    assert eventually(lambda: post_with(server, after) == 401)
    assert post_with(server, before) == 200


@pytest.mark.parametrize("path", [JSON_STREAM, *PAGE_STREAMS])
def test_a_stream_ends_soon_after_its_key_was_removed_and_a_new_one_is_refused(
    make_server: Callable[..., Server], path: str
) -> None:
    server = make_server()
    removed, kept = (add_key(server, "read") for _ in range(2))
    with server.running():
        server.post(REFERENCE)
        with watching(server, path, removed) as ends, watching(server, path, kept) as stays:
            for viewer in (ends, stays):
                viewer.next("room", "message")
            ran(server, "key", "remove", removed.split("_")[1])
            assert ends.rest()[-1] == "denied"
            assert server.get(path, **bearer(removed)).status_code == 401
            server.post(REFERENCE)
            assert stays.next("room", "message")


def test_who_looked_before_anybody_was_asked_is_asked_too(server: Server) -> None:
    with watching(server) as viewer:
        add_key(server, "read")
        assert viewer.rest()[-1] == "signed-out"


def test_nobody_else_may_read_the_database(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", {})  # whose database the command makes
    add_key(server, "token")
    mode = (server.data / "roompulse-access.db").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["key", "add", "phones"], "--for"),
        (["key", "add", "phones", "--for", "everything"], "'ingest', 'read', 'token'"),
        (["key", "add", "--for", "read"], "NAME"),
        (["key", "add", "x" * 65, "--for", "read"], "1 to 64 characters"),
        (["key", "remove"], "ID"),
        (["key", "remove", "nosuchkey0"], "there is no key 'nosuchkey0'"),
        (["token", "--room", "r"], "--user"),
        (["token", "--room", "r\n", "--user", "u"], "--room: must not contain control characters"),
        (["token", "--room", "r", "--user", ""], "--user: must have 1 to 128 characters"),
        *(
            (
                ["token", "--room", "r", "--user", "u", "--ttl", ttl],
                "must be a time such as 30s, 15m or 1h, at most 24h",
            )
            for ttl in ("", "0s", "5", "h", "25h", "86401s", "1.5h", "-1h", "1d", "1h\n", "9" * 9 + "s", "\u0661h")
        ),
    ],
)
def test_wrong_arguments_are_refused_in_words(
    arguments: list[str], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOMPULSE_DATA", str(tmp_path / "data"))
    ended = CliRunner().invoke(main, arguments)
    assert ended.exit_code != 0
    assert named in ended.output
    assert "Traceback" not in ended.output


def test_a_database_that_cannot_be_used_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "roompulse-access.db").write_bytes(b"not a database " * 100)
    for arguments in (["key", "list"], ["key", "add", "x", "--for", "read"], ["token", "--room", "r", "--user", "u"]):
        ended = run(*arguments, "--data", str(tmp_path))
        assert ended.returncode == 1
        assert len(ended.stderr.splitlines()) == 1
        assert "roompulse-access.db" in ended.stderr


def test_many_commands_at_a_time_all_count(server: Server) -> None:
    with ThreadPoolExecutor() as threads:
        shown = set(threads.map(lambda kind: add_key(server, kind), ["ingest", "read", "token", "read"]))
    assert len(shown) == 4
    assert len(ran(server, "key", "list").stdout.splitlines()) == 4
