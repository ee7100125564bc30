"""`roompulse import`, and its result in a real server."""

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from roompulse.cli import main
from tests.importing.dumps import RECORDED, call, file, internals
from tests.process import DEADLINE
from tests.process.test_start import COMMAND, assert_one_line, environment, run
from tests.server import Server


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def import_(data: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return run("import", "--data", str(data), *map(str, arguments))


def test_recorded_calls_are_opened_with_time_travel(data: Path) -> None:
    ended = import_(data, *RECORDED)
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert len(lines) == len(RECORDED)
    with Server(data, {"ROOMPULSE_LEAVE_AFTER": "60"}).running() as server:
        assert server.get("/report/rooms").json()["data"] == []
        for line, path in zip(lines, RECORDED, strict=True):
            room_id, _, _ = path.name.partition(".")
            assert line.startswith(f"{path}: room {room_id!r}, 3 users, ")
            moment = line.rpartition(": ")[2]
            page = server.get(moment)
            assert page.status_code == 200
            assert 'data-state="past"' in page.text
            assert len(set(re.findall(rf'href="rooms/{room_id}/users/([\w-]+)\?at=', page.text))) == 3
            end = float(moment.partition("?at=")[2])
            snapshots = server.get(f"/report/history/{room_id}").json()["data"]
            assert len(snapshots) >= 2
            assert all(end - 40 < one["timestamp"] < end + 60 for one in snapshots)
            assert max(one["user_count"] for one in snapshots) == 3
            assert min(one["quality"]["score"] or 9 for one in snapshots) > 3
            samples = server.get(f"/report/history/{room_id}/local?from={end - 40}").json()["data"]
            assert {one["direction"] for one in samples} == {"send", "recv"}
            assert samples[0]["sdk_version"] in {"rtcstats", "internals"}
            assert server.get(f"/rooms/{room_id}/users/local?at={end}").status_code == 200
        listed = server.get("/calls").text
        for line in lines:
            assert f'href="{line.rpartition(": /")[2].rstrip("0")}' in listed


def test_each_of_several_files_is_reported_and_one_that_fails_hinders_no_other(data: Path, tmp_path: Path) -> None:
    good, bad = file(tmp_path, internals(call())), file(tmp_path, b"nothing", "bad.txt")
    missing = tmp_path / "missing \udcff"
    ended = import_(data, good, bad, missing, good, "--room", "stand-up")
    assert ended.returncode == 1
    first, second = ended.stdout.splitlines()
    assert first.startswith(f"{good}: room 'stand-up', 2 users, 12 s, ")
    assert second.startswith(f"{good}: room 'stand-up (2)' ('stand-up' has a history of its own), ")
    assert ended.stderr.splitlines() == [
        f"Error: {bad}: neither a dump of chrome://webrtc-internals nor one of rtcstats",
        f"Error: {tmp_path}/missing \ufffd: No such file or directory",
    ]


def test_beside_a_running_server_it_ends_with_one_line(server: Server, tmp_path: Path) -> None:
    dump = file(tmp_path, internals(call()))
    assert_one_line(import_(server.data, dump, dump), "another roompulse is running on", "stop it first")
    assert server.get("/report/history/call").status_code == 404


def test_on_a_terminal_it_shows_how_far_it_is(data: Path, tmp_path: Path) -> None:
    terminal, end = pty.openpty()
    command = [*COMMAND, "import", "--data", str(data), str(file(tmp_path, internals(call())))]
    with subprocess.Popen(command, env=environment({}), stdout=subprocess.PIPE, stderr=end, stdin=end) as process:
        os.close(end)
        output, _ = process.communicate(timeout=DEADLINE)
    assert b"100%" in os.read(terminal, 4096)
    os.close(terminal)
    assert output.count(b"\n") == 1
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "FILE"),
        (["--room", "..", "x"], "must not be '.' or '..'"),
        (["--room", " a", "x"], "must not begin or end with a blank"),
        (["--room", "", "x"], "must have 1 to 128 characters"),
    ],
)
def test_wrong_arguments_are_refused(arguments: list[str], named: str) -> None:
    ended = CliRunner().invoke(main, ["import", *arguments])
    assert ended.exit_code == 2
    assert named in ended.output


def test_settings_that_make_no_sense_end_it(tmp_path: Path) -> None:
    ended = run("import", str(file(tmp_path, internals(call()))), LEAVE_AFTER="soon")
    assert_one_line(ended, "ROOMPULSE_LEAVE_AFTER", "soon")


def test_it_is_listed() -> None:
    assert re.search(r"\n  import +Import recorded calls as ended rooms", run("--help").stdout)
