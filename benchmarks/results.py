"""The results: rows of a table in Markdown, and everything else as JSON beside it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

DOCS = Path(__file__).parents[1] / "docs"


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


BEGIN, END = _marks("measured")


class Row(Struct, frozen=True):
    """One line of the table; `met` is None where there is no goal, or nothing to compare with."""

    what: str
    figure: str
    goal: str = ""
    met: bool | None = None


class Outcome(Struct, frozen=True):
    """The results of one benchmark, its machine, and all measurements.

    `load` is the load average at its start: other work of the machine.
    """

    at: str
    quick: bool
    load: float
    machine: dict[str, str]
    rows: list[Row]
    raw: dict[str, Any]


Results = dict[str, Outcome]
"""By the name of the benchmark, in the order of the table."""


def at_most(what: str, value: float, limit: float, unit: str = "", note: str = "") -> Row:
    return Row(what, _figure(value, unit, note), f"≤ {_number(limit)}{_spaced(unit)}", value <= limit)


def at_least(what: str, value: float, limit: float, unit: str = "", note: str = "") -> Row:
    return Row(what, _figure(value, unit, note), f"≥ {_number(limit)}{_spaced(unit)}", value >= limit)


def stated(what: str, value: float, unit: str = "", note: str = "") -> Row:
    return Row(what, _figure(value, unit, note))


def missing(what: str, goal: str, why: str) -> Row:
    return Row(what, f"not measured: {why}", goal)


def _figure(value: float, unit: str, note: str) -> str:
    return f"**{_number(value)}**{_spaced(unit)}" + (f" ({note})" if note else "")


def _spaced(unit: str) -> str:
    return f" {unit}" if unit else ""


def _number(value: float) -> str:
    """Three digits that count, and no more."""
    if abs(value) >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}" if abs(value) >= 0.001 or value == 0 else f"{value:.1e}"


def read(path: Path) -> Results:
    return msgspec.json.decode(path.read_bytes(), type=Results) if path.exists() else {}


def write(results: Results, folder: Path, names: Iterable[str] = ()) -> None:
    """Write performance.json, and the tables into performance.md between the markers; prose around them stays.

    Of the benchmarks of these names, the table has those too that are not measured.
    """
    (folder / "performance.json").write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    page = folder / "performance.md"
    text = page.read_text() if page.exists() else "# Performance\n\n<!-- measured: begin -->\n<!-- measured: end -->\n"
    page.write_text(between_markers(text, markdown(results, names)))


def between_markers(text: str, table: str, name: str = "measured") -> str:
    """The text with this table in the place of that name; the surrounding text stays."""
    begin, end = _marks(name)
    before, begins, rest = text.partition(begin)
    _, ends, after = rest.partition(end)
    if not (begins and ends):
        raise ValueError(f"there is no {begin} with {end} after it")
    return f"{before}{begin}\n{table}\n{end}{after}"


def markdown(results: Results, names: Iterable[str] = ()) -> str:
    return "\n\n".join([_table(results, names), *_machines(results)])


def _table(results: Results, names: Iterable[str]) -> str:
    lines = ["| Benchmark | What | Measured | Goal | Met |", "|---|---|---|---|---|"]
    for name, outcome in results.items():
        for place, row in enumerate(outcome.rows):
            met = {True: "yes", False: "**no**", None: ""}[row.met]
            cells = (f"{name} (load {outcome.load:.1f})" if place == 0 else "", row.what, row.figure, row.goal, met)
            lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    lines += [f"| {name} | not measured yet |  |  |  |" for name in names if name not in results]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", r"\|")


def _machines(results: Results) -> list[str]:
    """One list for each machine and day, with the benchmarks that ran on it."""
    ran: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name, outcome in results.items():
        how = {"when": outcome.at[:10] + (", quick" if outcome.quick else "")}
        ran.setdefault(tuple((how | outcome.machine).items()), []).append(name)
    return [_list(", ".join(names), dict(machine)) for machine, names in ran.items()]


def _list(names: str, machine: Mapping[str, str]) -> str:
    return "\n".join([f"Measured with ({names}):", "", *(f"- {name}: {value}" for name, value in machine.items())])


def summary(rows: Sequence[Row]) -> str:
    """The rows as they are printed while the benchmarks run."""
    words = {True: "met", False: "MISSED", None: ""}
    return "\n".join(f"  {row.what}: {row.figure.replace('**', '')}  {row.goal}  {words[row.met]}" for row in rows)
