"""A small world of live rooms and rules, by a clock that only the test moves."""

from typing import Any

from roompulse.alerts.evaluator import Evaluator
from roompulse.alerts.incident import Change
from roompulse.alerts.metrics import Readings
from roompulse.alerts.model import Alert, Condition, Rule, Silence
from roompulse.intake.intake import RATE_WINDOW
from roompulse.intake.window import SlidingCount
from roompulse.report.model import LEFT, Entry, Event, Received
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from tests.builders import NOW, network, report, stream

STALE_AFTER, LEAVE_AFTER = 15.0, 60.0
POOR = Condition("score", "<", 3.1)


def rule(**fields: Any) -> Rule:
    """One about users below fair, unless `fields` say otherwise."""
    values: dict[str, Any] = {"id": "r1", "name": "Poor", "severity": "warning", "subject": "user", "when": [POOR]}
    return Rule(**(values | fields))


def room_rule(**fields: Any) -> Rule:
    values: dict[str, Any] = {"id": "room", "severity": "critical", "subject": "room", "when": [SHARE]}
    return rule(**(values | fields))


SHARE = Condition("poor_share", ">=", 50)


def silence(**fields: Any) -> Silence:
    values: dict[str, Any] = {"id": "s1", "rule_id": None, "room_id": None, "user_id": None, "reason": "", "by": "ada"}
    return Silence(**({"until": NOW + 100} | values | fields))


class World:
    def __init__(self, *rules: Rule, most: int = 100) -> None:
        self.rooms = RoomsInMemory(Limits(100, 100, 100), stale_after=STALE_AFTER, leave_after=LEAVE_AFTER)
        self.now = NOW
        self.heard_at: float | None = None
        self.rate = SlidingCount(1, RATE_WINDOW)
        self.readings: dict[str, Any] = {}
        self.changes: list[Change] = []
        self.evaluator = self.new_evaluator(*rules, most=most)

    def new_evaluator(self, *rules: Rule, most: int = 100) -> Evaluator:
        """As after a restart."""
        self.evaluator = Evaluator(self.rooms, most=most, stale_after=STALE_AFTER, leave_after=LEAVE_AFTER)
        self.evaluator.set_rules(rules, self.now)
        return self.evaluator

    def post(self, user_id: str, loss: float = 0, room_id: str = "room-1", **fields: Any) -> None:
        """A report of a user whose camera loses so many percent."""
        entries = [Entry(user_id, [stream(network=network(packet_loss=loss))])]
        self.apply(user_id, room_id, metrics=entries, **fields)

    def leave(self, user_id: str, room_id: str = "room-1") -> None:
        self.apply(user_id, room_id, metrics=[], events=[Event(LEFT)])

    def apply(self, user_id: str, room_id: str, **fields: Any) -> None:
        self.rooms.apply(Received(report(user_id, room_id, report_time=int(self.now), **fields), self.now))
        self.heard_at = self.now
        self.rate.note(1, self.now)

    def tick(self, seconds: float = 1, losses: dict[str, float] | None = None, room_id: str = "room-1") -> list[Change]:
        """Let time pass second by second, in each of which users report these losses."""
        found = []
        for _ in range(round(seconds)):
            self.now += 1
            for user_id, loss in (losses or {}).items():
                self.post(user_id, loss, room_id)
            self.rooms.expire(self.now)
            found += self.evaluator.tick(
                self.now, Readings(self.heard_at, self.rate.total(self.now) / RATE_WINDOW, **self.readings)
            )
        self.changes += found
        return found

    def sent(self) -> list[tuple[str, str | None, str | None]]:
        """State, room and user of all that was sent."""
        return [(one.alert.state, one.alert.room_id, one.alert.user_id) for one in self.changes if one.is_sent]

    def alerts(self, state: str = "firing") -> list[Alert]:
        return [alert for alert in self.evaluator.alerts() if alert.state == state]
