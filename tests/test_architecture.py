"""The shape of the code, as DESIGN's layout has it: imports point one way, files and functions are small."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "roompulse"
FILES = sorted(SOURCE.rglob("*.py"))

ORDER = [
    {
        "__init__",
        "settings",
        "clock",
        "errors",
        "net",
        "bounded",
        "periodic",
        "token_buckets",
        "printable",
        "validation",
        "meters",
        "logs",
    },
    {"report"},
    {"quality"},
    {"rooms"},
    {"events"},
    {"intake"},
    {"store"},
    {"calls"},
    {"erasure"},
    {"insights"},
    {"access"},
    {"postgres"},
    {"alerts"},
    {"overview"},
    {"pseudonyms"},
    {"notify"},
    {"importing"},
    {"checking"},
    {"hub"},
    {"follower"},
    {"engines"},
    {"other_workers"},
    {"ingest"},
    {"web"},
    {"core"},
    {"app"},
    {"asgi"},
    {"client"},
    {"simulate"},
    {"bridge"},
    {"supervisor"},
    {"cli"},
    {"__main__"},
]
"""Each may import earlier ones, and those beside it."""

NOT_EVEN_THOUGH_BEFORE = {
    "hub": {"store", "rooms", "quality", "report", "intake", "insights", "alerts", "notify", "importing", "checking"},
    "follower": {"insights", "alerts", "notify", "importing", "checking"},
    "ingest": {"insights", "alerts", "notify", "importing", "checking"},
    "web": {"importing", "checking"},
    "core": {"importing", "checking"},
    "app": {"importing", "checking"},
    "store": {"report.decode", "report.envelope"},
}
ONLY = {"client": {"client"}, "simulate": {"simulate", "client"}, "bridge": {"bridge", "client"}}
"""The senders' side knows the server only by its contract."""
PURE = {"report", "quality", "rooms", "intake"}
PURE_TOO = {
    f"importing.{name}"
    for name in ("recording", "sdp", "internals", "rtcstats", "changes", "figures", "tracks", "reports", "replay")
} | {f"events.{name}" for name in ("model", "words", "tracks", "comparison", "detector")}
INPUT_AND_OUTPUT = {"asyncio", "anyio", "sqlalchemy", "litestar", "time", "os", "pathlib", "socket", "datetime"}

WEB = {
    "http": set(),
    "html": {"http"},
    "sse": {"http"},
    "api": {"http", "sse"},
    "pages": {"http", "html", "sse"},
    "access_log": {"http", "sse"},
    "application": {"http", "api", "access_log"},
    "server": {"http", "sse", "api", "application"},
}
"""The allowed imports between the parts of web/."""

ALONE = {"uvicorn": "web.server", "sse_starlette": "web.sse"}
"""Libraries with pitfalls, each imported by one package only."""

MOST_LINES_OF_A_FUNCTION = 50
MOST_LINES_OF_A_FILE = 300
MOST_FILES_OF_A_FOLDER = 20


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


def part_of(module: str) -> str:
    return module.partition(".")[0]


def rank(part: str) -> int:
    return next(place for place, parts in enumerate(ORDER) if part in parts)


@cache
def nodes(path: Path) -> list[ast.AST]:
    """The imports and functions of a file, wherever in it."""
    chosen = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, chosen)]


def imports(path: Path) -> Iterator[str]:
    """Modules that a file imports."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            yield node.module or ""


def own_imports(path: Path) -> Iterator[str]:
    """Modules of roompulse that a file imports, named from there."""
    for module in imports(path):
        top, _, rest = module.partition(".")
        if top == "roompulse":
            yield rest or "__init__"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_one_way(path: Path) -> None:
    place = rank(part_of(name_of(path)))
    assert [module for module in own_imports(path) if rank(part_of(module)) > place] == []


@pytest.mark.parametrize("part", NOT_EVEN_THOUGH_BEFORE)
def test_some_do_not_know_of_each_other(part: str) -> None:
    mine = [path for path in FILES if part_of(name_of(path)) == part]
    found = {module for path in mine for module in own_imports(path)}
    unwanted = NOT_EVEN_THOUGH_BEFORE[part]
    assert [module for module in found if module in unwanted or part_of(module) in unwanted] == []


@pytest.mark.parametrize("part", ONLY)
def test_senders_know_nothing_of_the_server(part: str) -> None:
    mine = [path for path in FILES if part_of(name_of(path)) == part]
    assert mine
    assert {part_of(module) for path in mine for module in own_imports(path)} <= ONLY[part]


@pytest.mark.parametrize("path", [path for path in FILES if part_of(name_of(path)) in PURE], ids=name_of)
def test_reports_quality_rooms_and_intake_are_pure(path: Path) -> None:
    assert {part_of(module) for module in imports(path)} & INPUT_AND_OUTPUT == set()


@pytest.mark.parametrize("name", sorted(PURE_TOO))
def test_what_a_recording_says_and_what_happened_is_found_without_files_and_databases(name: str) -> None:
    # Times are read from text there, hence datetime.
    found = {part_of(module) for module in imports(SOURCE / f"{name.replace('.', '/')}.py")}
    assert found & (INPUT_AND_OUTPUT - {"datetime"}) == set()


@pytest.mark.parametrize("path", [path for path in FILES if name_of(path).startswith("web.")], ids=name_of)
def test_parts_of_the_web_know_only_those_below(path: Path) -> None:
    _, part, *_ = name_of(path).split(".")
    known = {module.split(".")[1] for module in own_imports(path) if part_of(module) == "web"}
    assert part == "__init__" or known - {part} <= WEB[part]


@pytest.mark.parametrize(("library", "package"), ALONE.items())
def test_one_package_alone_knows_a_library(library: str, package: str) -> None:
    knowing = {name_of(path) for path in FILES if library in map(part_of, imports(path))}
    assert knowing
    assert {name for name in knowing if not name.startswith(f"{package}.")} == set()


def test_no_folder_is_crowded() -> None:
    folders = Counter(path.parent for path in FILES if path.stem != "__init__" and "migrations" not in path.parts)
    assert {folder.name: count for folder, count in folders.items() if count > MOST_FILES_OF_A_FOLDER} == {}


def test_the_spine_knows_contracts_and_not_who_keeps_them() -> None:
    known = {
        module
        for module in own_imports(SOURCE / "ingest" / "ingest.py")
        if part_of(module) in {"rooms", "store", "hub"}
    }
    assert known == {"rooms.contract", "store.contract", "store.availability", "hub.contract"}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_and_functions_are_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES_OF_A_FILE
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= MOST_LINES_OF_A_FUNCTION, f"{node.name} has {lines} lines"


def test_only_colors_differ_in_the_dark() -> None:
    """`light-dark()` is of colors alone; e2e/axe.py relies on there being nothing else."""
    files = list((SOURCE.parents[1] / "static" / "css").glob("*.css"))
    assert files
    for file in files:
        css = re.sub(r'&\[data-theme="dark"\] \{\s*color-scheme: dark;\s*\}', "", file.read_text())
        assert not re.search(r"prefers-color-scheme|=\"dark\"", css), file.name
