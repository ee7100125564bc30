"""The files in deploy/ name settings and flags that exist."""

import re
from pathlib import Path

import pytest

from roompulse.cli.serve import serve
from roompulse.settings import PREFIX, unknown_names

DEPLOY = Path(__file__).parents[1] / "deploy"

FLAGS = {option for parameter in serve.params for option in parameter.opts}


@pytest.mark.parametrize("path", sorted(DEPLOY.iterdir()), ids=lambda path: path.name)
def test_settings_and_flags_exist(path: Path) -> None:
    text = path.read_text()
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+", text))
    assert list(unknown_names(dict.fromkeys(named, ""))) == []
    commands = re.findall(r"^(?:ExecStart=\S+|ENTRYPOINT \[.roompulse.,) .*", text, re.MULTILINE)
    assert {flag for command in commands for flag in re.findall(r"--[a-z-]+", command)} <= FLAGS


def test_the_balancer_asks_whether_workers_are_ready() -> None:
    assert "option httpchk GET /readyz" in (DEPLOY / "haproxy.cfg").read_text()
