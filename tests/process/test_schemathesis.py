"""Schemathesis holds the real process to /report/openapi.json."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import REFERENCE
from tests.process.test_keys import add_key
from tests.server import Server

pytestmark = pytest.mark.slow

ENDLESS = "/report/stream/{room_id}"
CHANGING = r"^/report/(alerts/(rules|channels|silences|\{alert_id\}/acknowledge)|users/|shares|notes)"
READING = ["--exclude-path-regex", CHANGING, "--exclude-method", "DELETE"]
"""Erased data cannot be read afterwards."""

CHANGES = [
    *("--include-path-regex", rf"{CHANGING}|^/report/history/"),
    *("--exclude-path", "/report/alerts/channels/{channel_id}/test"),  # which connects to generated addresses
    *("--exclude-method", "HEAD"),
    # The validity of rules, for one, is described only in words; and one step may erase what the one before has made.
    *("--exclude-checks", "positive_data_acceptance,ensure_resource_availability"),
]


def test_it_finds_nothing(server: Server, tmp_path: Path) -> None:
    assert server.post(REFERENCE).status_code == 200
    assert "No issues found" in assert_nothing_fails(server, tmp_path, 20, *READING)


def test_changes_find_nothing_either(server: Server, tmp_path: Path) -> None:
    assert server.post(REFERENCE).status_code == 200
    said = assert_nothing_fails(server, tmp_path, 10, *CHANGES)
    assert "No issues found" in said
    operations = re.search(r"Operations: +(\d+) selected", said)
    assert operations
    assert int(operations[1]) == 27


def test_it_finds_nothing_where_it_is_a_stranger(make_server: Callable[..., Server], tmp_path: Path) -> None:
    server = make_server()
    for kind in ("ingest", "read"):
        add_key(server, kind)
    with server.running():
        # What a stranger sends is refused before it is looked at, so a few requests of each operation say all.
        said = assert_nothing_fails(server, tmp_path, 5, *READING, "--phases", "fuzzing")
        assert set(re.findall(r"Authentication failed: (\d+) operations", said)) == {"29"}, said


def assert_nothing_fails(server: Server, folder: Path, examples: int, *which: str) -> str:
    """The output of schemathesis for `which` operations."""
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{server.url}/report/openapi.json"]
    options = [
        "--exclude-path",
        ENDLESS,
        "--exclude-path",
        "/report/stream",
        *which,
        "--warnings",  # generated ids exist only by chance
        "missing_auth",
        "--checks",
        "all",
        "--max-examples",
        str(examples),
    ]
    options += ["--generation-deterministic", "--continue-on-failure", "--no-color"]
    root = Path(__file__).parents[2]
    environment = {
        "SCHEMATHESIS_HOOKS": "tests.process.schemathesis_hooks",
        "PYTHONPATH": str(root),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(root / ".hypothesis"),
    }
    ended = subprocess.run(
        [*command, *options],
        env=os.environ | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Traceback" not in server.log.read_text()
    return ended.stdout
