"""Run the benchmarks: `python -m benchmarks [--quick] [--only NAME]`.

The results go into docs/performance.md and docs/performance.json; with --quick, which is less exact, to build/bench.
"""

import argparse
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from benchmarks import (
    alerts,
    bulk,
    capacity,
    fan_out,
    growth,
    ingest,
    insights,
    kills,
    lag,
    machine,
    memory,
    pressure,
    reads,
    soak,
    start,
    workers,
    workers_soak,
)
from benchmarks.bench import Bench, Benchmark
from benchmarks.results import DOCS, Outcome, Results, read, summary, write

BENCHMARKS: dict[str, Benchmark] = {
    "ingest": ingest.run,
    "bulk": bulk.run,
    "fan_out": fan_out.run,
    "lag": lag.run,
    "growth": growth.run,
    "reads": reads.run,
    "pressure": pressure.run,
    "memory": memory.run,
    "start": start.run,
    "alerts": alerts.run,
    "insights": insights.run,
    "workers": workers.run,
    "kills": kills.run,
    "soak": soak.run,
    "workers_soak": workers_soak.run,
}
"""In the order of the table."""

BY_ITSELF = {"kills", "soak", "workers_soak"}
"""Only on demand, as they take long."""

FOLDER = Path(__file__).parents[1] / "build" / "bench"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the cost of roompulse.")
    parser.add_argument("--quick", action="store_true", help="in a tenth of the time, and less exact")
    parser.add_argument("--only", metavar="NAME", action="append", choices=BENCHMARKS, help=", ".join(BENCHMARKS))
    options = parser.parse_args()
    names = options.only or [name for name in BENCHMARKS if name not in BY_ITSELF]
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(FOLDER / "lock", timeout=0):
            missing = machine.prepare(FOLDER / "npm")
            if "wrk" in missing:
                raise SystemExit("Nothing can be measured without wrk.")
            measure(names, missing, FOLDER if options.quick else DOCS, quick=options.quick)
    except Timeout:
        raise SystemExit("Benchmarks are running already, and would be in each other's way.") from None


def measure(names: Sequence[str], missing: list[str], results: Path, *, quick: bool) -> None:
    """Run these benchmarks one after the other; each is added to the earlier results when it is done."""
    described = machine.described(FOLDER)
    for name in names:
        bench = Bench(FOLDER, quick, missing, {})
        started, busy = time.monotonic(), os.getloadavg()[0]
        print(f"{name} …", flush=True)
        rows = BENCHMARKS[name](bench)
        print(f"{summary(rows)}\n  ({time.monotonic() - started:.0f} s)", flush=True)
        at = datetime.now(UTC).isoformat(timespec="seconds")
        known = read(results / "performance.json") | {name: Outcome(at, quick, busy, described, rows, bench.raw)}
        write(_in_order(known), results, BENCHMARKS)
    if not quick:
        capacity.main()


def _in_order(results: Results) -> Results:
    return {name: results[name] for name in BENCHMARKS if name in results}


if __name__ == "__main__":
    main()
