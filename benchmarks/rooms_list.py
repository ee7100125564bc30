"""How long the page of all rooms takes, with many rooms: `python -m benchmarks.rooms_list [rooms] [users of each]`."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, cast

from tests.builders import NOW, network, received, stream

from roompulse.hub.local import LocalHub
from roompulse.ingest import Ingest
from roompulse.meters import Meters
from roompulse.report.model import Entry, Received
from roompulse.rooms.limits import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.trends import Trends
from roompulse.store.contract import Store
from roompulse.web.assets import Assets
from roompulse.web.overview import Overview
from roompulse.web.query import RoomsQuery
from roompulse.web.templates import Templates


def report_of(room: int, user: int, users: int, at: float) -> Received:
    """A user sends one stream, and receives those of up to three others."""
    others = [f"u{other}" for other in range(users) if other != user][:3]
    sending = stream(network=network(rtt=40 + (room * 7 + user + at) % 300))
    metrics = [Entry(f"u{user}", [sending]), *(Entry(other, [stream(direction="recv")]) for other in others)]
    return received(at, room_id=f"room-{room:05}", user_id=f"u{user}", metrics=metrics)


def timed(words: str, do: Callable[[], Any], times: int = 1) -> Any:
    taken = []
    for _ in range(times):
        started = perf_counter()
        result = do()
        taken.append(perf_counter() - started)
    print(f"{words:<60} {1000 * min(taken):8.1f} ms")
    return result


async def main(count: int, users: int) -> None:
    rooms = RoomsInMemory(Limits(count, users, 64), stale_after=15, leave_after=60)
    trends = Trends(10, count)
    ingest = Ingest(cast("Store", None), rooms, LocalHub(0.25, 100, Meters()), lambda: NOW, 10, Meters())
    overview = Overview(rooms, trends, ingest.intake, Templates(Assets()), lambda: NOW)

    def report(some: Sequence[int]) -> None:
        for room in some:
            rooms.apply(report_of(room, room % users, users, NOW))

    for user in range(users):
        for room in range(count):
            rooms.apply(report_of(room, user, users, NOW))
    names = rooms.ids()
    stored = [
        (name, NOW - 10 * ago, 1 + (place * ago) % 34 / 10) for ago in range(90) for place, name in enumerate(names)
    ]
    print(f"{count} rooms of {users} users")
    timed(f"refill the trends from {len(stored)} snapshots", lambda: trends.refill(NOW, stored))
    worst, search = overview.view(RoomsQuery()), overview.view(RoomsQuery(q="42", sort="loss", page=2))
    timed("open the page, when every room has changed", worst.render)
    timed("open it again, or push when nothing changed", worst.render, 5)
    for changed in (50, count // 20):
        report(range(0, count, count // changed))
        timed(f"push when {changed} rooms changed", worst.render)
        timed("push a search to another viewer, after that", search.render)
    live = {name: float(place % 3 + 2) for place, name in enumerate(names)}
    timed("note the trends, every 10 s", lambda: trends.record(NOW + 10, live))
    frames = timed("push when every row has changed", worst.render)
    print(f"bytes of a push: {sum(map(len, frames.values()))}")


if __name__ == "__main__":
    asyncio.run(main(*(int(number) for number in (sys.argv[1:] or ("5000", "4")))))
