"""The command, and failures of its start."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from roompulse import __version__
from tests.databases import make_databases
from tests.forked import Fork, run_forked
from tests.process import DEADLINE
from tests.server import Server

DATABASES = ["roompulse.db", "roompulse-access.db"]

COMMAND = [sys.executable, "-m", "roompulse"]


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ROOMPULSE_")}
    return clean | {f"ROOMPULSE_{name}": value for name, value in settings.items()}


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return run_forked(arguments, environment(settings), timeout=DEADLINE)


@contextmanager
def started(*arguments: str, **settings: str) -> Iterator[str]:
    """The line that a forked server says when it is ready; it is stopped at the end."""
    process = Fork(["serve", *arguments], environment(settings), Path(os.devnull))
    with process.stdout:
        try:
            yield process.stdout.readline().decode()
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0


def assert_one_line(ended: subprocess.CompletedProcess[str], *names: str) -> None:
    """It ended with one line that says why."""
    assert ended.returncode not in {0, None}
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert ended.stderr.startswith("Error: ")
    for name in names:
        assert name in ended.stderr


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_help_says_what_there_is() -> None:
    assert "serve" in run("--help").stdout
    for flag in ("--host", "--port", "--data", "ROOMPULSE_<NAME>"):
        assert flag in run("serve", "--help").stdout


@pytest.mark.parametrize("command", [COMMAND, [str(Path(sys.executable).with_name("roompulse"))]])
def test_it_says_its_version(command: list[str]) -> None:
    said = subprocess.check_output([*command, "--version"], text=True, timeout=2 * DEADLINE)
    assert said == f"roompulse, version {__version__}\n"


def test_a_flag_that_does_not_exist_is_refused() -> None:
    ended = run("serve", "--nonsense")
    assert ended.returncode == 2
    assert "--nonsense" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "65536"),
        ("STALE_AFTER", "0"),
        ("LEAVE_AFTER", "nan"),
        ("MAX_BODY", "1.5"),
        ("MAX_ROOMS", "0"),
        ("HOST", ""),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "mysql://localhost/roompulse"),
    ],
)
def test_a_wrong_setting_ends_the_start_by_its_name(data: Path, name: str, value: str) -> None:
    assert_one_line(run("serve", **({"DATA": str(data), "PORT": "0"} | {name: value})), name)
    assert not data.exists()


def test_a_wrong_flag_ends_the_start_by_its_name(data: Path) -> None:
    assert_one_line(run("serve", "--port", "http", "--data", str(data)), "--port", "'http'")


def test_an_address_that_is_not_ours_ends_the_start(data: Path) -> None:
    for host in (NOT_OURS, "no such host"):
        ended = run("serve", "--behind-proxy", "--host", host, "--port", "0", "--data", str(data))
        assert_one_line(ended, f"cannot listen on {host} port 0")


NOT_OURS = "192.0.2.1"
"""An address that no machine has: so where the server would listen there, it says that it cannot."""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", NOT_OURS])  # noqa: S104
def test_where_others_reach_it_it_ends_and_says_what_to_do(data: Path, host: str) -> None:
    ended = run("serve", "--host", host, "--port", "0", "--data", str(data))
    assert_one_line(ended, host, "roompulse key add", "roompulse user add", "--behind-proxy", "--open")


def test_where_others_reach_it_it_listens_once_there_is_a_key(data: Path) -> None:
    assert run("key", "add", "phones", "--for", "ingest", "--data", str(data)).returncode == 0
    remark, error = run("serve", "--host", NOT_OURS, "--port", "0", "--data", str(data)).stderr.splitlines()
    assert "[warning  ] no one can read yet" in remark
    assert f"cannot listen on {NOT_OURS}" in error


@pytest.mark.parametrize("by", ["flag", "setting"])
def test_where_it_is_open_on_purpose_it_says_so_and_listens(data: Path, by: str) -> None:
    arguments = ("serve", "--host", NOT_OURS, "--port", "0", "--data", str(data))
    ended = run(*arguments, "--open") if by == "flag" else run(*arguments, OPEN="true")
    remark, error = ended.stderr.splitlines()
    assert f"[warning  ] --open: no access control; any client that reaches {NOT_OURS}" in remark
    assert f"cannot listen on {NOT_OURS}" in error


def test_a_port_that_is_taken_ends_the_start(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert_one_line(run("serve", "--port", port, "--data", str(data)), f"port {port}", "in use")


def test_a_data_folder_that_is_a_file_ends_the_start(data: Path) -> None:
    data.write_text("a file")
    assert_one_line(run("serve", "--port", "0", "--data", str(data)), str(data))
    assert_one_line(run("serve", "--port", "0", "--data", str(data / "below")), str(data))
    assert data.read_text() == "a file"


@pytest.mark.parametrize("name", DATABASES)
def test_a_database_that_is_a_folder_ends_the_start(data: Path, name: str) -> None:
    (data / name).mkdir(parents=True)
    assert_one_line(run("serve", "--port", "0", "--data", str(data)), name)


@pytest.mark.parametrize("name", DATABASES)
@pytest.mark.parametrize("content", [b"not a database " * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_database_that_is_none_ends_the_start_untouched(data: Path, name: str, content: bytes) -> None:
    data.mkdir()
    (data / name).write_bytes(content)
    assert_one_line(run("serve", "--port", "0", "--data", str(data)), name, "is damaged", "run roompulse check")
    assert (data / name).read_bytes() == content


@pytest.mark.parametrize("name", DATABASES)
def test_a_database_of_which_the_end_is_missing_ends_the_start(data: Path, name: str) -> None:
    make_databases(data)
    content = (data / name).read_bytes()
    (data / name).write_bytes(content[: len(content) // 2])
    assert_one_line(run("serve", "--port", "0", "--data", str(data)), name, "is damaged", "run roompulse check")


@pytest.mark.parametrize("name", DATABASES)
def test_a_database_of_another_program_ends_the_start_untouched(data: Path, name: str) -> None:
    data.mkdir()
    with closing(sqlite3.connect(data / name)) as connection, connection:
        connection.execute("CREATE TABLE song (title TEXT)")
    ended = run("serve", "--port", "0", "--data", str(data))
    assert_one_line(ended, name, "not one of roompulse", "song", "move it away")
    with closing(sqlite3.connect(data / name)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("song",)]


@pytest.mark.parametrize("name", DATABASES)
@pytest.mark.parametrize("mode", [0, 0o400])
def test_a_database_that_must_not_be_written_ends_the_start(data: Path, name: str, mode: int) -> None:
    make_databases(data)
    (data / name).chmod(mode)
    command = [*COMMAND, "serve", "--port", "0", "--data", str(data)]
    if os.geteuid() == 0:  # root may otherwise read and write every file
        rights = "-dac_override,-dac_read_search"
        command = ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}", *command]
    ended = subprocess.run(command, env=environment({}), capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert_one_line(ended, name)


@pytest.mark.parametrize("name", DATABASES)
def test_an_empty_file_becomes_the_database(data: Path, name: str) -> None:
    data.mkdir()
    (data / name).touch()
    with started("--port", "0", "--data", str(data)) as line:
        assert "serves" in line


@pytest.mark.parametrize("name", DATABASES)
def test_a_database_of_a_newer_version_ends_the_start(data: Path, name: str) -> None:
    make_databases(data)
    with closing(sqlite3.connect(data / name)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'from_the_future'")
    assert_one_line(run("serve", "--port", "0", "--data", str(data)), name, "newer roompulse", "from_the_future")


def test_a_second_process_on_the_same_data_ends(server: Server) -> None:
    ended = run("serve", "--port", "0", "--data", str(server.data))
    assert_one_line(ended, "another roompulse is running", str(server.data))
    assert server.get("/report/rooms").status_code == 200


def test_the_environment_is_used(data: Path) -> None:
    settings = environment({"PORT": "0", "DATA": str(data), "HOST": "127.0.0.2"})
    command = [*COMMAND, "serve"]
    with subprocess.Popen(
        command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        line = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0
    assert line.startswith(f"roompulse {__version__} serves http://127.0.0.2:")
    assert line.endswith(f", data in {data}\n")
    assert (data / "roompulse.db").is_file()


def test_flags_beat_the_environment(data: Path, tmp_path: Path) -> None:
    arguments = ("--port", "0", "--host", "127.0.0.1", "--data", str(data))
    with started(*arguments, PORT="http", HOST="192.0.2.1", DATA=str(tmp_path / "elsewhere")) as line:
        assert "serves http://127.0.0.1:" in line
    assert not (tmp_path / "elsewhere").exists()


def test_it_serves_under_the_path_of_a_proxy(data: Path) -> None:
    with started("--port", "0", "--data", str(data), "--root-path", "/pulse") as line:
        (address,) = re.findall(r"http://\S+:\d+", line)
        assert '<base href="/pulse/">' in httpx.get(f"{address}/pulse/").text
    assert_one_line(run("serve", "--root-path", "pulse"), "--root-path", "must be a path such as /pulse")


def test_the_database_may_lie_elsewhere(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "rooms.db"
    with started("--port", "0", "--data", str(data), DATABASE_URL=f"sqlite:///{path}"):
        assert path.is_file()
    assert not (data / "roompulse.db").exists()


def test_a_name_that_is_no_setting_is_warned_of(data: Path) -> None:
    ended = run("serve", PORT="http", DATA=str(data), MAX_ROOM="5")
    assert ended.returncode != 0
    assert "ROOMPULSE_MAX_ROOM is set, but there is no such setting" in ended.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_well_when_told_to(server: Server, how: signal.Signals) -> None:
    assert server.stop(how) == 0
    assert "Traceback" not in server.log.read_text()
