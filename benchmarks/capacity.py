"""The capacity by the measured figures: of one process, and of several workers.

`python -m benchmarks.capacity` rewrites docs/scale.md. Nothing is measured here: the tables follow from
docs/performance.json and from the assumptions below.
"""

from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any

from msgspec import Struct

from benchmarks import start
from benchmarks.calls import body, of_user, seeded
from benchmarks.results import DOCS, Results, between_markers, read
from benchmarks.workers import Shared
from roompulse.report.model import Received
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.store.packing import pack_aggregate

ROOM_USERS = 8
STREAMS = ROOM_USERS
"""Of a report: the camera that a user sends, and those of the others, which it receives."""

INTERVAL, SNAPSHOT_INTERVAL = 5, 10
"""Seconds between two reports of a user, and two snapshots of a room."""

PUSHES = 2
"""Frames a second of a viewer: a room of 8 changes 1.6 times a second, and no view is pushed more than 4 times."""

USERS_A_VIEWER = 1000
HEAD = 300
"""Bytes of the head of a request, or of the answer to it."""

FRAME = 15_000
"""Bytes of a push of the page of a room of 10 users, as in the growth of performance.md."""

BUSY = 0.5
"""Share of a core that a process is given to do, so that bursts and a restart beside it still fit."""

WORKERS = (1, 2, 3, 6, 10)
SIZES = (10**4, 10**5, 10**6)
DAY = 86_400


class Costs(Struct, frozen=True):
    """Measured: seconds of CPU, and bytes."""

    report: float
    frame: float
    stream_memory: float
    viewer_memory: float
    sample: float
    rebuilt_stream: float


def costs(results: Results) -> Costs:
    raw = {name: outcome.raw for name, outcome in results.items()}
    alone, ten = (_cpu(raw["bulk"][size]) for size in ("1", "10"))
    empty, reported = (median(one["cpu"] for one in raw["start"][name]) for name in ("empty", "reported"))
    rebuilt = raw["start"]["reported"][0]["rooms"] * 2 * start.USERS
    return Costs(
        report=alone + (ten - alone) * (STREAMS - 1) / 9,
        frame=median(one["cpu"] for one in raw["fan_out"]["roompulse"]),
        stream_memory=raw["memory"]["bytes_of_a_stream"],
        viewer_memory=raw["memory"]["bytes_of_a_viewer"],
        sample=raw["memory"]["database_bytes_of_a_sample"],
        rebuilt_stream=(reported - empty) / rebuilt,
    )


def costs_of_workers(results: Results) -> Shared:
    """The median of the rounds with reports of as many streams as are assumed."""
    rounds = results["workers"].raw[f"following, {STREAMS} streams"]
    return Shared(*(median(one[name] for one in rounds) for name in Shared.__struct_fields__))


def _cpu(loads: Sequence[Any]) -> float:
    return float(median(load["cpu"] for load in loads))


def report_bytes() -> int:
    return len(body(of_user("room", 0, ROOM_USERS, seeded(7), STREAMS - 1)))


def snapshot_bytes() -> int:
    """A snapshot's aggregate, and the size of a row and its index entry."""
    rooms = RoomsInMemory(Limits(9, 99, 99), stale_after=15, leave_after=60)
    for user in range(ROOM_USERS):
        rooms.apply(Received(of_user("room", user, ROOM_USERS, seeded(user), STREAMS - 1), 1.0))
    room = rooms.get("room")
    assert room
    return len(pack_aggregate(room.summary().aggregate)) + 60


def one_process(cost: Costs) -> str:
    """The capacity of one process, by limiting resource."""
    user_cpu = cost.report / INTERVAL
    user_sample = STREAMS * cost.sample / INTERVAL
    rows = [
        ("half of a core for reports", BUSY / user_cpu, f"{1e6 * cost.report:.0f} µs of CPU a report"),
        ("a whole core for reports", 1 / user_cpu, "the event loop and SQLite's thread share the interpreter"),
        ("a database of 200 GB", 200e9 / (user_sample * DAY), f"{user_sample * DAY / 1e6:.0f} MB a user and day"),
        (
            "a start within 10 s",
            10 / (cost.rebuilt_stream * STREAMS),
            f"{1e6 * cost.rebuilt_stream:.0f} µs a stream that was reported 12 times",
        ),
        ("20 000 rooms (MAX_ROOMS)", 20_000.0 * ROOM_USERS, "a setting"),
        (
            "16 GB of memory",
            16e9 / (STREAMS * cost.stream_memory),
            f"{STREAMS * cost.stream_memory / 1000:.0f} kB a user",
        ),
    ]
    table = _table(["What", "Users until then", ""], ([what, _count(users), why] for what, users, why in rows))
    viewers = BUSY / 2 / (cost.frame * PUSHES)
    memory = _bytes(viewers * cost.viewer_memory)
    return (
        f"{table}\n\nA further quarter of a core carries {_count(viewers)} viewers of the JSON of rooms at {PUSHES} "
        f"frames a second each ({1e6 * cost.frame:.0f} µs a frame), in {memory} of memory."
    )


def several(report: Shared) -> str:
    """How far several workers go: each takes its share of the reports, and follows those of the others."""
    rows = []
    for count in WORKERS:
        rate = BUSY * count / (report.taken + report.followed * (count - 1))
        rows.append([str(count), _count(rate * INTERVAL), _count(rate), f"{rate * report.stored:.2g}"])
    table = _table(["Workers", "Users", "Reports a second", "Cores of PostgreSQL"], rows)
    taken, followed, stored = (1e6 * one for one in (report.taken, report.followed, report.stored))
    limit = _count(BUSY / report.followed * INTERVAL)
    return (
        f"{table}\n\nA report of {STREAMS} streams takes {taken:.0f} µs of the worker that takes it, "
        f"{followed:.0f} µs of each other one, and {stored:.0f} µs of PostgreSQL. So however many workers there are, "
        f"they carry less than {limit} users: there, each would do nothing but follow."
    )


def at_rest(cost: Costs) -> str:
    """Stored data, and its size."""
    sample = STREAMS * cost.sample
    kept: list[tuple[str, Callable[[float], str]]] = [
        ("reports a second", lambda users: _count(users / INTERVAL)),
        ("… bytes a second, heads included", lambda users: _bytes(users / INTERVAL * (report_bytes() + HEAD))),
        ("samples of 24 h", lambda users: _bytes(users / INTERVAL * sample * DAY)),
        ("samples of 1 h", lambda users: _bytes(users / INTERVAL * sample * DAY / 24)),
        (
            "snapshots of 30 days",
            lambda users: _bytes(users / ROOM_USERS / SNAPSHOT_INTERVAL * snapshot_bytes() * 30 * DAY),
        ),
        ("viewers", lambda users: _count(users / USERS_A_VIEWER)),
        ("… bytes of frames a second", lambda users: _bytes(users / USERS_A_VIEWER * PUSHES * FRAME)),
    ]
    rows = ([name, *(figure(size) for size in SIZES)] for name, figure in kept)
    return _table(["What there is", *(f"{_count(size)} users" for size in SIZES)], rows)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _count(number: float) -> str:
    return _scaled(number, ("", " thousand", " million", " billion"))


def _bytes(number: float) -> str:
    return _scaled(number, (" B", " kB", " MB", " GB", " TB", " PB"))


def _scaled(number: float, units: Sequence[str]) -> str:
    """Two digits that count."""
    place = 0
    while number >= 1000 and place < len(units) - 1:
        number, place = number / 1000, place + 1
    return f"{number:.0f}{units[place]}" if number >= 10 else f"{number:.2g}{units[place]}"


def written(text: str, results: Results) -> str:
    """The page with its tables as these results have them."""
    cost = costs(results)
    workers = several(costs_of_workers(results)) if "workers" in results else "Not measured yet."
    for name, table in (("process", one_process(cost)), ("workers", workers), ("rest", at_rest(cost))):
        text = between_markers(text, table, name)
    return text


def main() -> None:
    page = DOCS / "scale.md"
    page.write_text(written(page.read_text(), read(DOCS / "performance.json")))


if __name__ == "__main__":
    main()
