"""A quarter of an hour of three workers at half of their peak, and 100,000 reads at another worker than the report."""

import time
from collections.abc import Sequence

import asyncpg  # type: ignore[import-untyped]
from msgspec import Struct

from benchmarks import workers
from benchmarks.bench import UNHURRIED, Bench
from benchmarks.clients import run as run_clients
from benchmarks.processes import children, resident_bytes
from benchmarks.results import Row, at_most
from benchmarks.soak import LATE, MINUTES, Look, Soak, grown, settled, told
from roompulse.postgres.log import KEPT, PRUNE_EVERY
from roompulse.quality import FRAME_RATE_WINDOW
from roompulse.settings import Settings

WORKERS = 3
PAIRS = 100_000


class Sample(Struct, frozen=True):
    """At a number of seconds: bytes of memory of all workers, rows of the log, and how old (seconds) the oldest is."""

    at: float
    memory: int
    rows: int
    age: float


def run(bench: Bench) -> list[Row]:
    return [*_growth(bench), *_elsewhere(bench, 1_000 if bench.quick else PAIRS)]


def _growth(bench: Bench) -> list[Row]:
    minutes = 2.0 if bench.quick else MINUTES
    with workers.database(bench) as postgres:
        settings = {"SENDER_RATE": "0", "DATABASE_URL": postgres.url}
        with bench.server("workers-soak", settings, "--workers", str(WORKERS)) as server:
            samples: list[Sample] = []

            async def look(at: float) -> None:
                memory = sum(map(resident_bytes, children(server.pid)))
                samples.append(Sample(at, memory, *await _log(postgres.url)))

            peak, soak = run_clients(_peak_and_soak(server.url, look, bench.seconds(10), 60 * minutes))
    bench.raw |= {"peak": peak, "samples": samples, "snapshot_delays": soak.delays}
    return _growth_rows(samples, soak.delays, peak / 2, minutes)


async def _peak_and_soak(url: str, look: Look, of_peak: float, seconds: float) -> tuple[float, Soak]:
    """The peak is that of the soak's own senders, as they, the workers and PostgreSQL have the same cores."""
    soak = Soak(url, look)
    peak = await soak.peak(of_peak)
    await soak.run(peak / 2, seconds)
    return peak, soak


async def _log(url: str) -> tuple[int, float]:
    """How many rows the log has, and how old (seconds) the oldest is; changes before the first report have no time."""
    connection = await asyncpg.connect(url)
    count, oldest = await connection.fetchrow("SELECT count(*), min(at) FILTER (WHERE at > 0) FROM batch")
    await connection.close()
    return count, time.time() - oldest / 1000


def _growth_rows(samples: Sequence[Sample], delays: Sequence[float], rate: float, minutes: float) -> list[Row]:
    memory, last = grown(samples, "memory", minutes)
    since = "minute {:g} to {:g}".format(*settled(minutes))
    kept = Settings().leave_after + FRAME_RATE_WINDOW + KEPT
    oldest, rows = max(one.age for one in samples), max(one.rows for one in samples)
    rooms = f"{last / 1e6:.0f} MB; {told(rate)}"
    return [
        at_most(f"memory of {WORKERS} workers, {since}, as a multiple", memory, 1.05, "", rooms),
        at_most("oldest row of the log", oldest, kept + 2 * PRUNE_EVERY, "s", f"at most {rows} rows"),
        at_most("longest from the time of a snapshot until it can be read", max(delays), LATE, "s", f"{len(delays)}"),
    ]


def _elsewhere(bench: Bench, pairs: int) -> list[Row]:
    with workers.database(bench) as postgres:
        settings = UNHURRIED | {"DATABASE_URL": postgres.url}
        with bench.server("workers-takes", settings) as takes, bench.server("workers-shows", settings) as shows:
            missed, _ = run_clients(workers.pairs_of(takes, shows, pairs))
    return [at_most("reports that a read at another worker misses", missed, 0, note=f"of {pairs}")]
