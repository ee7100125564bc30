"""What a room's page costs: `python -m benchmarks.room_page [users]`.

Times of one render (which is shared by all who look at the same), and bytes of a push by section, for a call in which
each sends a camera and receives those of eight others.
"""

import sys
from random import Random
from time import perf_counter

from tests.builders import NOW, network, stream

from roompulse.report.model import Entry, Received, Report
from roompulse.rooms.limits import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.web.assets import Assets
from roompulse.web.events import partial
from roompulse.web.query import UserQuery
from roompulse.web.templates import Templates
from roompulse.web.views import Views

RENDERS = 20


def report(random: Random, user: int, users: int) -> Report:
    """A report of one user in a call of which a tenth has bad uplinks."""
    loss = 5.0 if random.random() < 0.1 else 0.3
    sent = Entry(f"user-{user}", [stream(network=network(packet_loss=loss))])
    others = random.sample([other for other in range(users) if other != user], min(8, users - 1))
    recv = [Entry(f"user-{other}", [stream(direction="recv")]) for other in others]
    return Report(f"user-{user}", "big", "1.2.0", int(NOW), [sent, *recv])


def measure(views: Views, rooms: RoomsInMemory, query: UserQuery, users: int) -> None:
    view = views.room("big", query)
    random = Random(7)  # noqa: S311
    whole = alone = 0.0
    for number in range(RENDERS):
        rooms.apply(Received(report(random, random.randrange(users), users), NOW + number / 10))
        start = perf_counter()
        if room := rooms.get("big"):
            room.metrics()
        middle = perf_counter()
        sections = view.sections()
        end = perf_counter()
        whole += end - start
        alone += end - middle
    sizes = {target: len(partial(target, html)) for target, html in sections.items()}
    print(
        f"{users} users, {query}: {1000 * whole / RENDERS:.1f} ms a push, the page {1000 * alone / RENDERS:.1f};"
        f" {sum(sizes.values())} bytes {sizes}"
    )


def main() -> None:
    users = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rooms = RoomsInMemory(Limits(rooms=10, room_users=20_000, user_streams=64), stale_after=15, leave_after=60)
    random = Random(7)  # noqa: S311
    for user in range(users):
        rooms.apply(Received(report(random, user, users), NOW))
    views = Views(rooms, Templates(Assets()), "epoch")
    for query in (UserQuery(), UserQuery(page=10), UserQuery(q="user-99")):
        measure(views, rooms, query, users)


if __name__ == "__main__":
    main()
