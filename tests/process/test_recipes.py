"""docs/recipes.md, run against a real server as far as it can be: without Grafana, pandas and Slack."""

import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from tests.builders import REFERENCE
from tests.process import eventually
from tests.server import Server

TEXT = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()


def blocks(language: str, title: str) -> list[str]:
    section = TEXT.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


@pytest.fixture
def server(server: Server) -> Server:
    """With a call that has a snapshot."""
    assert server.post(REFERENCE).status_code == 200
    eventually(lambda: server.get("/report/calls").json()["data"]["count"])
    return server


@pytest.mark.parametrize("query", blocks("json", "Grafana"))
def test_a_query_of_grafana_finds_its_columns(server: Server, query: str) -> None:
    asked = json.loads(query)
    url = asked["url"].replace("${__from}", "1000000000000").replace("${__to}", "9000000000000")
    answer = server.get(url)
    assert answer.status_code == 200
    rows: Any = answer.json()
    for name in asked["root_selector"].split("."):
        rows = rows[name]
    for row in rows:
        for column in asked["columns"]:
            value = row
            for name in column["selector"].split("."):
                value = value[name]


class Frame:
    """The parts of pandas that the recipe uses."""

    def __init__(self, rows: Any) -> None:
        self.rows = list(rows)


def run(block: str, server: Server) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(block.replace("http://localhost:8180", server.url), names)  # noqa: S102  (our own document)
    return names


def test_the_notebook_reads_the_worst_call(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = ModuleType("pandas")
    pandas.DataFrame = Frame  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    (block,) = blocks("python", "A notebook with pandas")
    names = run(block, server)
    assert names["report"].room_id == "room-1"


def test_the_digest_is_posted(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    posted: list[Any] = []

    def post(url: str, *, json: Any) -> httpx.Response:
        posted.append((url, json))
        return httpx.Response(200, request=httpx.Request("POST", url))

    monkeypatch.setattr(httpx, "post", post)
    monkeypatch.setenv("SLACK_WEBHOOK_URL", "https://hooks.slack.com/x")
    (block,) = blocks("python", "A digest in Slack")
    run(block, server)
    ((url, body),) = posted
    assert (url, list(body)) == ("https://hooks.slack.com/x", ["text"])
