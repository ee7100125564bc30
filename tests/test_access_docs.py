"""The programs of docs/access.md make tokens that hold."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from roompulse.access.keys import make_key
from roompulse.access.tokens import LEEWAY, LONGEST_LIFE, MAX_TOKEN_LENGTH, read_token
from roompulse.cli import COMMANDS
from tests.test_docs import ROOT

TEXT = (ROOT / "docs" / "access.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PROGRAMS = dict(BLOCK.findall(TEXT.partition("In your server")[2]))
RUN = {
    "sh": (["sh"], ["sh", "openssl"]),
    "python": ([sys.executable], [sys.executable]),
    "js": (["node"], ["node"]),
    "go": (["go", "run"], ["go"]),
    "php": (["php"], ["php"]),
}
"""How a program is run, and its requirements on the machine."""

HERE = [language for language, (_, needed) in RUN.items() if all(map(shutil.which, needed))]
"""The languages that this machine can run: Python at least."""

SUFFIX = {"js": "mjs"}


def test_there_is_one_for_each_language() -> None:
    assert set(PROGRAMS) == set(RUN)
    assert "python" in HERE


@pytest.mark.parametrize("language", HERE)
@pytest.mark.parametrize(("room", "user"), [("room-1", "u1"), ("salle é/1", "電 話")])
def test_what_they_make_holds_for_an_hour(language: str, room: str, user: str, tmp_path: Path) -> None:
    key, shown = make_key("token", "a program", time.time())
    file = tmp_path / f"program.{SUFFIX.get(language, language)}"
    file.write_text(PROGRAMS[language])
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ROOMPULSE_")}
    made = subprocess.run(
        [*RUN[language][0], str(file)],
        env=clean | {"KEY": shown, "ROOM": room, "USER_ID": user},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    claims = read_token(made.stdout.strip(), {key.id: key}, time.time())
    assert (claims.room, claims.user) == (room, user)
    assert 3400 < claims.exp - time.time() <= 3600


def test_the_limits_are_the_real_ones() -> None:
    assert f"at most {LONGEST_LIFE // 3600} h ahead" in TEXT
    assert f"up to {LEEWAY} s ahead" in TEXT
    assert f"most {MAX_TOKEN_LENGTH:,} bytes" in TEXT.replace("\n", " ")


def test_the_commands_are_there() -> None:
    named = set(re.findall(r"roompulse (\w+)", TEXT)) - {"user"}
    assert named <= set(COMMANDS)
    assert named >= {"key", "token"}
