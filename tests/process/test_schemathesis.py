"""Schemathesis holds the real process to /report/openapi.json."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import strategies as st

from roompulse.report.ids import MAX_ID_LENGTH, id_fault
from tests.builders import REFERENCE
from tests.server import Server

ENDLESS = "/report/stream/{room_id}"

characters = st.characters(exclude_categories=("Cc", "Cf", "Cs"))
ids = st.sampled_from(["room-1", "u1"]) | st.text(characters, min_size=1, max_size=MAX_ID_LENGTH).filter(
    lambda text: id_fault(text) is None
)

# Schemathesis runs as a process of its own, and imports this module for its hooks.
schemathesis.openapi.format("roompulse-id", ids)


@schemathesis.hook
def filter_case(_context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """Leave out what the document says in words alone: unknown names are ignored, and `from` is before `to`."""
    query = case.query or {}
    if set(query) - {"from", "to", "step", "limit"}:
        return False
    try:
        return float(query["from"]) <= float(query["to"])
    except (KeyError, TypeError, ValueError):
        return True


def test_it_finds_nothing(server: Server, tmp_path: Path) -> None:
    assert server.post(REFERENCE).status_code == 200
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{server.url}/report/openapi.json"]
    options = ["--exclude-path", ENDLESS, "--checks", "all", "--max-examples", "40"]
    options += ["--generation-deterministic", "--continue-on-failure", "--no-color"]
    hooks = {"SCHEMATHESIS_HOOKS": __name__, "PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run(
        [*command, *options],
        env=os.environ | hooks,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "No issues found" in ended.stdout, ended.stdout
    assert "Traceback" not in server.log.read_text()
