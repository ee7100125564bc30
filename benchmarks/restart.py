"""How long viewers are disconnected after a crash: `python -m benchmarks.restart`.

From SIGKILL, after which the server is restarted immediately, to the first event of a stream that is requested every
20 ms.
"""

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from tests.builders import body, stream
from tests.server import Server

from roompulse.report.model import Entry

ROOMS, USERS, RUNS = 100, 8, 5
SETTINGS = {"ROOMPULSE_LEAVE_AFTER": "600"}


def report(room: int, user: int) -> bytes:
    others = [Entry(f"u{other}", [stream(direction="recv")]) for other in range(USERS)]
    return body(room_id=f"room-{room}", user_id=f"u{user}", metrics=others)


def fill(server: Server) -> None:
    with httpx.Client() as client:
        for room in range(ROOMS):
            for user in range(USERS):
                client.post(f"{server.url}/report/metrics", content=report(room, user)).raise_for_status()


def first_event(server: Server) -> None:
    while True:
        try:
            with httpx.stream("GET", f"{server.url}/report/stream/room-1", timeout=60) as response:
                for line in response.iter_lines():
                    if line.startswith("data: {") and json.loads(line[6:])["room_id"] == "room-1":
                        return
        except httpx.TransportError:
            time.sleep(0.02)


def blind(server: Server) -> float:
    started = time.perf_counter()
    server.kill()
    server.start()
    first_event(server)
    return time.perf_counter() - started


def main() -> None:
    with TemporaryDirectory() as folder, Server(Path(folder) / "data", SETTINGS).running() as server:
        fill(server)
        print(f"{ROOMS} rooms of {USERS} users:", *(f"{blind(server):.2f} s" for _ in range(RUNS)))


if __name__ == "__main__":
    main()
