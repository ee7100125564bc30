"""One room with 500 viewers, with frames of about 1.5 kB ten times a second: CPU for each delivered frame."""

import getpass
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median

from msgspec import Struct, json

from benchmarks.bench import Bench
from benchmarks.calls import body, reference
from benchmarks.clients import Sender, at_pace, viewers
from benchmarks.clients import run as run_clients
from benchmarks.load import interleaved, ratio
from benchmarks.machine import NCHAN
from benchmarks.processes import Target, cpu_seconds, free_port, peer
from benchmarks.results import Row, at_most, missing, stated

VIEWERS, RATE = 500, 10
USERS = 1
PEERS = Path(__file__).with_name("peers")
GOALS = {
    "better-sse": ("better-sse on Node (b)", 1.0),
    "nchan": ("Nchan in nginx (a)", 2.2),
    "stream": ("the smallest ASGI loop (c)", 1.2),
}


class Fan(Struct, frozen=True):
    """The URL of viewers, and the post and its URL by which each of them gets a frame."""

    target: Target
    stream: str
    publish: str
    bodies: list[bytes]


class Delivered(Struct, frozen=True):
    """CPU seconds and bytes of a frame, and how many frames were delivered."""

    cpu: float
    size: float
    frames: int


async def _deliver(fan: Fan, seconds: float) -> Delivered:
    sender = Sender(fan.target.url, fan.publish)

    async def post(number: int) -> None:
        await sender.post(fan.bodies[number % len(fan.bodies)])

    for number in range(len(fan.bodies)):
        await post(number)
    async with viewers(fan.target.url, [fan.stream] * VIEWERS) as crowd:
        await at_pace(post, RATE, 1)
        before = cpu_seconds(fan.target.pid), crowd.count(), crowd.bytes()
        await at_pace(post, RATE, seconds)
        cpu, frames, size = (
            now - then
            for now, then in zip((cpu_seconds(fan.target.pid), crowd.count(), crowd.bytes()), before, strict=True)
        )
    sender.close()
    if frames < 0.9 * VIEWERS * RATE * seconds:
        raise RuntimeError(f"{fan.target.url} delivered only {frames} frames")
    return Delivered(cpu / frames, size / frames, int(frames))


def _reports() -> list[bytes]:
    return [body(reference(f"u{user}", "room-1")) for user in range(USERS)]


@contextmanager
def _peers(bench: Bench, frame: bytes) -> Iterator[dict[str, Fan]]:
    with ExitStack() as stack:
        fans = {"stream": Fan(stack.enter_context(bench.baseline("stream")), "/", "/", [frame])}
        if "better-sse" not in bench.missing:
            port = free_port()
            command = ["node", str(PEERS / "better_sse.mjs"), str(port)]
            log = bench.folder / "better-sse.log"
            node = stack.enter_context(peer(command, port, log, folder=bench.folder / "npm"))
            fans["better-sse"] = Fan(node, "/", "/", [frame])
        if "nginx" not in bench.missing:
            nginx = stack.enter_context(_nchan(bench))
            fans["nchan"] = Fan(nginx, "/", "/publish", [frame])
        yield fans


@contextmanager
def _nchan(bench: Bench) -> Iterator[Target]:
    port = free_port()
    folder = bench.data("nginx").resolve()
    folder.mkdir(parents=True)
    text = (PEERS / "nginx.conf").read_text()
    known = {"MODULE": str(NCHAN), "USER": getpass.getuser(), "FOLDER": str(folder), "PORT": str(port)}
    for name, value in known.items():
        text = text.replace(name, value)
    (folder / "nginx.conf").write_text(text)
    command = ["/usr/sbin/nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", "stderr"]
    with peer(command, port, bench.folder / "nginx.log") as running:
        yield running


def run(bench: Bench) -> list[Row]:
    # Reports come further apart than views are pushed, so each of them is one frame.
    with bench.server("fan-out", {"SENDER_RATE": "0", "PUSH_INTERVAL": "0.02"}) as server:
        ours = Fan(server, "/report/stream/room-1", "/report/metrics", _reports())
        for report in ours.bodies:
            server.post(report)
        frame = json.encode(json.decode(server.get("/report/metrics/room-1").content)["data"])
        with _peers(bench, frame) as peers:
            measures = {
                name: partial(_measure, fan, bench.seconds(6)) for name, fan in {"roompulse": ours, **peers}.items()
            }
            found = interleaved(bench.rounds(3), measures)
    bench.raw |= {**found, "frame_bytes": len(frame)}
    return _rows(found)


def _measure(fan: Fan, seconds: float) -> Delivered:
    return run_clients(_deliver(fan, seconds))


def _rows(found: dict[str, list[Delivered]]) -> list[Row]:
    def cpu(name: str) -> list[float]:
        return [delivered.cpu for delivered in found[name]]

    size = median(delivered.size for delivered in found["roompulse"])
    rows = [stated("CPU of a delivered frame", 1e6 * median(cpu("roompulse")), "µs", f"{size:.0f} bytes each")]
    for name, (words, goal) in GOALS.items():
        what = f"the same as a multiple of {words}"
        if name in found:
            note = f"{1e6 * median(cpu(name)):.1f} µs"
            rows.append(at_most(what, ratio(cpu("roompulse"), cpu(name)), goal, note=note))
        else:
            rows.append(missing(what, f"≤ {goal}", "it is not installed"))
    return rows
