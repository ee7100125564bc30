"""Reports of media servers: many users in one body, against decoding the same JSON and doing nothing else."""

from functools import partial
from itertools import pairwise

from msgspec import json

from benchmarks.bench import Bench, in_process
from benchmarks.calls import body, bulk
from benchmarks.load import Load, interleaved, load, middle, post
from benchmarks.results import Row, at_least, at_most, stated
from roompulse.report.model import Report

USERS, STREAMS = 200, 2
SIZES = (1, 10, 100, 1000)
ROOMS = 8
CONNECTIONS = 8


def run(bench: Bench) -> list[Row]:
    with bench.server("bulk", {"SENDER_RATE": "0"}) as server:

        def measure(users: int, streams: int) -> Load:
            names = [f"{users}-{streams}-{room}" for room in range(ROOMS)]
            requests = [post("/report/metrics", body(bulk(name, users, streams)).decode()) for name in names]
            return load(server, requests, bench.seconds(4), CONNECTIONS)

        measure(USERS, STREAMS)
        measures = {"bulk": partial(measure, USERS, STREAMS)}
        measures |= {str(size): partial(measure, size, 1) for size in SIZES}
        found = interleaved(bench.rounds(3), measures)
    decode = json.Decoder(Report).decode
    text = body(bulk("room", USERS, STREAMS))
    alone = in_process(lambda: decode(text)) / (USERS * STREAMS)
    bench.raw |= {**found, "decode_cpu_of_a_sample": alone, "body_bytes": len(text)}
    return _rows({name: middle(loads) for name, loads in found.items()}, alone)


def _rows(found: dict[str, Load], alone: float) -> list[Row]:
    samples = USERS * STREAMS
    ours = found["bulk"]
    costs = [found[str(size)].cpu / size for size in SIZES]
    growth = max(later / past_pages for past_pages, later in pairwise(costs))
    told = ", ".join(f"{1e6 * cost:.1f} µs with {size}" for size, cost in zip(SIZES, costs, strict=True))
    return [
        at_least(
            f"stream samples a second, each durable: {USERS} users × {STREAMS} streams a body",
            ours.rate * samples,
            60_000,
            note=f"{1e6 * ours.cpu / samples:.1f} µs of CPU a sample, p99 of a body {1000 * ours.p99:.0f} ms",
        ),
        stated("CPU as a multiple of decoding the JSON alone", ours.cpu / samples / alone, "", f"{1e6 * alone:.2f} µs"),
        at_most("largest growth of the cost per sample from one size of body to the next", growth, 1.1, note=told),
    ]
