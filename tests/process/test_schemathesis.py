"""Schemathesis holds the real process to /report/openapi.json."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import strategies as st

from roompulse.errors import BadRequest
from roompulse.report.ids import JOINERS, MAX_ID_LENGTH, id_fault
from roompulse.web.http.times import parse_time
from tests.builders import REFERENCE
from tests.process.test_keys import add_key
from tests.server import Server

pytestmark = pytest.mark.slow

ENDLESS = "/report/stream/{room_id}"
OF_LISTS = (
    *("state", "severity", "room_id", "user_id", "kind", "reporter_id", "by", "against_from", "against_to"),
    *("q", "level", "order", "offset"),
)
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

characters = st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"), include_characters=JOINERS)
ids = st.sampled_from(["room-1", "u1"]) | st.text(characters, min_size=1, max_size=MAX_ID_LENGTH).filter(
    lambda text: id_fault(text) is None
)

# Schemathesis runs as a process of its own, and imports this module for its hooks.
schemathesis.openapi.format("roompulse-id", ids)


@schemathesis.hook
def filter_case(_context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """Leave out rules that the document has only in words: unknown names are ignored, ranges begin before they end."""
    query = case.query or {}
    if set(query) - {"from", "to", "step", "limit", "about", "stream_id", "direction", *OF_LISTS}:
        return False
    is_whole = ("against_from" in query) == ("against_to" in query)
    return is_whole and _in_order(query, "from", "to") and _in_order(query, "against_from", "against_to")


def _in_order(query: Any, first: str, last: str) -> bool:
    try:
        return parse_time(first, str(query[first])) <= parse_time(last, str(query[last]))
    except (KeyError, BadRequest):
        return True


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
        said = assert_nothing_fails(server, tmp_path, 5, *READING)
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
    hooks = {"SCHEMATHESIS_HOOKS": __name__, "PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run(
        [*command, *options],
        env=os.environ | hooks,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Traceback" not in server.log.read_text()
    return ended.stdout
