"""Durable ingest of one reference report a request, against handlers that store nothing, and the Pushgateway."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

from benchmarks.bench import Bench
from benchmarks.calls import body, reference
from benchmarks.load import Load, Request, interleaved, load, middle, post, ratio
from benchmarks.processes import Peer, Target, free_port, peer
from benchmarks.results import Row, at_least, at_most, missing, stated

ROOMS, USERS = 8, 4
"""32 senders, one for each connection."""

SENDERS = [(f"room-{room}", f"u{user}") for room in range(ROOMS) for user in range(USERS)]
FIGURES = {
    "video_frame_rate": 25,
    "video_width": 1280,
    "video_height": 720,
    "video_bitrate": 1200,
    "audio_sample_rate": 48000,
    "audio_channels": 2,
    "audio_bitrate": 64,
    "network_rtt": 45,
    "network_packet_loss": 0.3,
    "network_jitter": 8,
}
GATEWAYS = {"pushgateway": [], "pushgateway, unchecked": ["--push.disable-consistency-check"]}
"""As it comes, it checks at each push that all groups together can be scraped."""

# The limit on senders is on, and never reached: it is looked at for each request.
SETTINGS = {"SENDER_RATE": "1000000000", "SENDER_STREAMS": "1000000000", "SENDER_USERS": "1000000000"}


def reports(path: str) -> list[Request]:
    return [post(path, body(reference(user, room)).decode()) for room, user in SENDERS]


def pushes() -> list[Request]:
    """The same ten figures as gauges, in a group for each sender."""
    text = "".join(f"{name} {value}\n" for name, value in FIGURES.items())
    return [post(f"/metrics/job/{room}/user/{user}", text, "Content-Type: text/plain") for room, user in SENDERS]


def run(bench: Bench) -> list[Row]:
    with ExitStack() as stack:
        server = stack.enter_context(bench.server("ingest", SETTINGS))
        litestar = stack.enter_context(bench.baseline("litestar"))
        targets: dict[str, tuple[Target, list[Request]]] = {
            "roompulse": (server, reports("/report/metrics")),
            "stock": (litestar, reports("/stock")),
            "asgi": (litestar, reports("/asgi")),
        }
        if "prometheus-pushgateway" not in bench.missing:
            targets |= {name: (_gateway(bench, stack, flags), pushes()) for name, flags in GATEWAYS.items()}
        for target, requests in targets.values():
            load(target, requests, 2)
        measures = {name: partial(load, *target, bench.seconds(5)) for name, target in targets.items()}
        return _rows(interleaved(bench.rounds(5), measures), bench)


def _gateway(bench: Bench, stack: ExitStack, flags: Sequence[str]) -> Peer:
    port = free_port()
    command = ["prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{port}", *flags]
    return stack.enter_context(peer(command, port, bench.folder / "pushgateway.log"))


def _rows(found: dict[str, list[Load]], bench: Bench) -> list[Row]:
    bench.raw |= found
    ours = middle(found["roompulse"])
    note = f"p50 {1000 * ours.p50:.1f} ms, p99 {1000 * ours.p99:.1f} ms, {1e6 * ours.cpu:.0f} µs of CPU a report"
    rows = [
        stated("reports a second, each durable", ours.rate, note=note),
        _against(found, "stock", "rate as a multiple of a stock Litestar handler that stores nothing (a)", 1.2),
        _against(found, "asgi", "rate as a multiple of an ASGI route that decodes and stores nothing (b)", 0.5),
    ]
    gateway = "rate as a multiple of the Prometheus Pushgateway, which stores nothing (c)"
    if "pushgateway" in found:
        unchecked = _against(found, "pushgateway, unchecked", "", 5)
        rows.append(_against(found, "pushgateway", gateway, 5))
        rows.append(Row("… and without its check of all groups", unchecked.figure))
    else:
        rows.append(missing(gateway, "≥ 5", "prometheus-pushgateway is not installed"))
    slowest = ratio([load.p99 for load in found["roompulse"]], [load.p99 for load in found["stock"]])
    rows.append(at_most("p99 as a multiple of that of (a)", slowest, 2))
    return rows


def _against(found: dict[str, list[Load]], name: str, what: str, goal: float) -> Row:
    theirs = middle(found[name])
    rates = ratio([load.rate for load in found["roompulse"]], [load.rate for load in found[name]])
    cpu = ratio([load.cpu for load in found["roompulse"]], [load.cpu for load in found[name]])
    note = f"{theirs.rate:.0f} a second, {1e6 * theirs.cpu:.0f} µs of CPU: ours is {cpu:.2f} times that"
    return at_least(what, rates, goal, note=note)
