"""The cost of evaluating alerts once a second: 10,000 live rooms, of which one in a hundred changes in a second.

A room changes by a report of one of its users, who sends a stream and receives those of all others. The baseline has
only as many rooms as change, and all of them do: the difference is the cost of the other rooms.
"""

import gc
import time
from statistics import mean, median

from tests.builders import NOW

from benchmarks.bench import Bench
from benchmarks.calls import of_user, seeded
from benchmarks.results import Row, at_most, stated
from roompulse.alerts.evaluator import Evaluator
from roompulse.alerts.metrics import Readings
from roompulse.alerts.model import Condition, Rule, Scope
from roompulse.report.model import Received, Report
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory

ROOMS, USERS, CHANGING = 10_000, 4, 100
WARM_UP = 45
"""Seconds until all that is bad from the beginning fires."""

NEVER_LEAVE = 10.0**6


def rules() -> list[Rule]:
    """Twenty: nine about rooms, nine about users, two about the server; some hold now and then."""
    rooms = [Condition("poor_share", ">=", 50), Condition("packet_loss_p95", ">", 4), Condition("rtt_p95", ">", 190)]
    users = [Condition("score", "<", 3.1), Condition("packet_loss", ">", 4), Condition("frame_rate", "<", 10)]
    server = [Condition("silent_for", ">=", 60), Condition("poor_share", ">", 90)]
    made = [("room", one, Scope(room=glob)) for one in rooms for glob in (None, "room-*", "other-*")]
    made += [("user", one, Scope(user=glob)) for one in users for glob in (None, "user-*", "other-*")]
    made += [("server", one, Scope()) for one in server]
    return [
        Rule(f"rule {n}", "warning", subject, [condition], id=f"r{n}", scope=scope, hold=30, clear_for=10)  # type: ignore[arg-type]
        for n, (subject, condition, scope) in enumerate(made)
    ]


def _ticks(live: int, seconds: int) -> list[float]:
    """CPU seconds of each tick."""
    rooms = RoomsInMemory(Limits(live, USERS, 64), stale_after=NEVER_LEAVE, leave_after=NEVER_LEAVE)
    now = NOW
    for room in range(live):
        for user in range(USERS):
            rooms.apply(Received(_report(room, user), now))
    evaluator = Evaluator(rooms, most=5000, stale_after=NEVER_LEAVE, leave_after=NEVER_LEAVE)
    evaluator.set_rules(rules(), now)
    evaluator.tick(now, Readings(now))
    gc.collect()
    gc.freeze()  # as the server does with long-lived objects
    taken = []
    for second in range(WARM_UP + seconds):
        now += 1
        for step in range(CHANGING):
            rooms.apply(Received(_report((second * CHANGING + step) % live, second % USERS), now))
        rooms.expire(now)
        started = time.process_time()
        evaluator.tick(now, Readings(now))
        taken.append(time.process_time() - started)
    gc.unfreeze()
    return taken


def _report(room: int, user: int) -> Report:
    """Each report of a user: a tenth of its streams is bad, always the same ones."""
    return of_user(f"room-{room}", user, USERS, seeded(room * USERS + user), USERS - 1)


def run(bench: Bench) -> list[Row]:
    seconds = round(bench.seconds(60))
    live, alone = _ticks(ROOMS, seconds), _ticks(CHANGING, seconds)
    bench.raw |= {"live": live, "alone": alone}
    steady = live[WARM_UP:]
    return [
        at_most(
            f"alerts, 20 rules, {ROOMS} live rooms of {USERS}, 1 % changing a second",
            100 * mean(steady),
            3,
            "% of a core",
            f"median of a second {1000 * median(steady):.1f} ms",
        ),
        stated("… the same changes, without the other rooms", 100 * mean(alone[WARM_UP:]), "% of a core"),
        stated("… the longest second, while thousands begin to fire", 1000 * max(live), "ms"),
    ]
