"""The docs are compared with the code."""

import re
import subprocess
from pathlib import Path
from typing import get_args

import click
import httpx
import msgspec
import pytest
from click.testing import CliRunner
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from roompulse.app import create_app
from roompulse.cli import COMMANDS, main
from roompulse.errors import REASONS
from roompulse.quality import TermName
from roompulse.report.decode import decode_report
from roompulse.report.model import Audio, Connection, Device, Entry, Event, Network, Report, Stream, Video
from roompulse.settings import Settings
from roompulse.web.http.headers import COMMON_HEADERS, INGEST_HEADERS, OPEN_HEADERS, PAGE_HEADERS, PREFLIGHT_HEADERS
from roompulse.web.server import protocol as connection
from roompulse.web.server.connection_limit import RESERVE
from tests.builders import REFERENCE

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "roompulse"
FOLDERS = "|".join(
    path.name for folder in (ROOT, SOURCE) for path in folder.iterdir() if re.fullmatch(r"\w+", path.name)
)


def table(document: str, heading: str) -> list[list[str]]:
    """The cells of the first table under a line that is `heading`."""
    lines = (ROOT / "docs" / document).read_text().partition(f"{heading}\n")[2].splitlines()
    rows = []
    for line in lines:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            break
    return rows[2:]


def test_the_table_of_settings_is_the_settings() -> None:
    documented = {name: default for name, default, *_ in table("settings.md", "# Settings")}
    actual = {name.upper(): getattr(Settings(), name) for name in Settings.__struct_fields__}
    assert documented == {name: "" if value is None else str(value) for name, value in actual.items()}


def test_the_table_of_headers_is_what_answers_have() -> None:
    rows = table("security.md", "## Headers")
    assert {name: value.strip("`") for name, _, value in rows} == PAGE_HEADERS
    assert [name for name, on, _ in rows if on == "every answer"] == list(COMMON_HEADERS)


def test_the_table_of_what_other_sites_may_is_what_they_may() -> None:
    rows = table("security.md", "## Other sites")
    documented = [(path, set(names.split(", "))) for path, _, names in rows]
    preflight = set(PREFLIGHT_HEADERS) - set(INGEST_HEADERS)
    ingest = "/report/metrics"
    assert documented == [(ingest, set(INGEST_HEADERS)), (ingest, preflight), ("/static/sdk/", set(OPEN_HEADERS))]


def test_the_bounds_of_a_connection_are_documented() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    assert f"{connection.MAX_HEAD // 1024} KiB" in text
    for seconds in (connection.KEEP_ALIVE, connection.HEAD_TIMEOUT, connection.LINGER):
        assert f"{seconds} s" in text
    assert f"{connection.MAX_PIPELINED} requests wait" in text
    assert f"less {RESERVE} for files" in text


def test_the_help_of_serve_tells_its_defaults() -> None:
    text = CliRunner().invoke(main, ["serve", "--help"]).output
    defaults = Settings()
    assert f"[default: {defaults.host}]" in text
    assert f"[default: {defaults.port}]" in text
    assert f"[default: ./{defaults.data}]" in text


def test_the_table_of_routes_is_the_routes(tmp_path: Path) -> None:
    documented = {re.sub(r"{(\w+)}", r"{\1:str}", row[0].split()[-1]) for row in table("api.md", "# The /report API")}
    app = create_app(Settings(data=tmp_path))
    assert documented == {route.path for route in app.routed.routes if route.path.startswith("/report")}


async def metrics(client: httpx.AsyncClient) -> list[Metric]:
    answer = await client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    return list(text_string_to_metric_families(answer.text))  # type: ignore[no-untyped-call]


async def test_the_table_of_metrics_is_the_metrics(client: httpx.AsyncClient) -> None:
    documented = [(name, kind) for name, kind, *_ in table("metrics.md", "## Metrics")]
    assert sorted(documented) == sorted((family.name, family.type) for family in await metrics(client))


def test_the_table_of_outcomes_is_the_outcomes() -> None:
    documented = [name for names, *_ in table("metrics.md", "## Outcomes") for name in names.split(", ")]
    assert len(documented) == len(set(documented))
    assert set(documented) == {"accepted", "left", *REASONS}


async def test_alerts_are_about_metrics_and_outcomes_that_there_are(client: httpx.AsyncClient) -> None:
    alerts = (ROOT / "docs" / "metrics.md").read_text().partition("## Alerts")[2].partition("## ")[0]
    samples = {sample.name for family in await metrics(client) for sample in family.samples}
    named = set(re.findall(r"\b(?:roompulse|process)_\w+", alerts))
    assert named
    assert named <= samples
    for outcomes in re.findall(r'outcome=~?"([^"]+)"', alerts):
        assert set(outcomes.split("|")) <= {"accepted", *REASONS}


def test_the_table_of_fields_is_the_report() -> None:
    documented: set[str] = set()
    for names, *_ in table("api.md", "## Posting a report"):
        documented |= {re.sub(r"^…|^metrics\[\]\.", "", name).replace("[]", "") for name in names.split(", ")}
    parts = {"video": Video, "audio": Audio, "network": Network}
    described = {**parts, "device": Device, "connection": Connection, "events": Event}
    actual = {*Report.__struct_fields__, *Entry.__struct_fields__, "stream_id", "direction", "from"}
    actual |= {f"{part}.{field}" for part, kind in described.items() for field in kind.__struct_fields__}
    assert set(Stream.__struct_encode_fields__) == {"stream_id", "direction", "from", *parts}
    assert documented == actual


def test_the_table_of_terms_is_what_quality_is_made_of() -> None:
    assert [row[0].strip("`") for row in table("api.md", "## Quality")] == list(get_args(TermName))


def test_the_curl_of_the_readme_and_of_the_empty_page_posts_the_reference_report() -> None:
    empty = (ROOT / "templates" / "partials" / "rooms.html").read_text()
    for text in ((ROOT / "README.md").read_text(), empty):
        body = re.search(r"-d '(.+?)'", text, re.DOTALL)
        assert body
        assert decode_report(body[1].encode()) == decode_report(REFERENCE)


def test_make_has_the_commands_of_the_readme() -> None:
    commands = set(re.findall(r"\bmake (\w+)", (ROOT / "README.md").read_text())) - {"a"}
    listed = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert commands >= {"run", "test", "help"}
    assert commands <= set(re.findall(r"make (\w+)", listed))


@pytest.mark.parametrize("document", ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_links_and_named_files_exist(document: str) -> None:
    text = (ROOT / document).read_text()
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert ((ROOT / document).parent / target).exists(), target
    for named in re.findall(
        r"`((?:src|tests|templates|static|docs|web|report|rooms|store|hub|access|intake|importing|checking|client|simulate|cli|benchmarks|e2e)/[\w./]*)`",
        text,
    ):
        assert any((base / named).exists() for base in (ROOT, SOURCE)), named


def test_each_promise_names_a_test_that_exists() -> None:
    promises = table("reliability.md", "# Reliability")
    assert len(promises) > 10
    for promise, named in promises:
        path, _, test = named.strip("`").partition("::")
        assert re.search(rf"^(async )?def {test}\(", (ROOT / path).read_text(), re.MULTILINE), promise


def test_each_command_is_in_the_docs_and_has_a_help() -> None:
    text = "".join(path.read_text() for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")))
    context = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert f"roompulse {name}" in text
        assert command
        assert command.help


def test_the_documented_error_is_the_real_one() -> None:
    message = re.search(r"`(\$\.metrics\[0\]\.streams\[1\]\.direction: [^`]+)`", (ROOT / "docs" / "api.md").read_text())
    assert message
    stream = {"stream_id": "camera", "direction": "send"}
    wrong = msgspec.json.decode(REFERENCE) | {
        "metrics": [{"user_id": "u1", "streams": [stream, stream | {"direction": "up"}]}]
    }
    with pytest.raises(Exception, match=re.escape(message[1])):
        decode_report(msgspec.json.encode(wrong))
