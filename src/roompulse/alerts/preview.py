"""What a rule would have done in the past: the same evaluation over stored reports, with the clock of their time."""

from collections.abc import Callable, Iterator, Sequence
from math import ceil, floor, inf

from msgspec import Struct
from msgspec.structs import replace

from roompulse.alerts.evaluator import Evaluator
from roompulse.alerts.incident import Change
from roompulse.alerts.metrics import METRICS, Readings, is_worse
from roompulse.alerts.model import Alert, Rule
from roompulse.alerts.scope import Members, glob
from roompulse.alerts.targets import CompiledRule, room_target, user_target
from roompulse.errors import BadRequest, TooManyRequests
from roompulse.intake.intake import RATE_WINDOW
from roompulse.intake.window import SlidingCount
from roompulse.quality import FRAME_RATE_WINDOW
from roompulse.report.model import Received
from roompulse.rooms.contract import LiveRooms
from roompulse.settings import Settings
from roompulse.store.contract import SampleArchive, Steps
from roompulse.store.reader import Reader

MOST_ALERTS = 100
"""The newest alerts in an answer."""

PARTS = 180

SHORT = 60.0
"""Seconds: an alert that was over by then was too short to act on."""


class Preview(Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """What a rule would have done.

    `worst` is read once in each of PARTS parts and when an alert fired; None where there is none, and for rules
    about the server.
    """

    firings: int
    """How often it would have fired."""
    noise: float | None
    """Share of these that was resolved within a minute, 0 to 1; None where it never fired."""
    start: float
    """Start of the stored reports, where that is later than requested: Unix seconds."""
    end: float
    """Unix seconds."""
    alerts: list[Alert]
    """The newest of them."""
    worst: list[float | None]
    """The worst value of the first condition in each of equal parts of the time, in the unit of the metric."""


class Previews:
    """One at a time: it uses all spare CPU of the server."""

    def __init__(
        self, archive: SampleArchive, reader: Reader, no_rooms: Callable[[], LiveRooms], settings: Settings
    ) -> None:
        self._archive = archive
        self._reader = reader
        self._no_rooms = no_rooms
        self._settings = settings
        self._is_busy = False

    async def of(self, rule: Rule, start: float, end: float, now: float) -> Preview:
        """What the rule would have done from `start` to `end` (Unix seconds), by the stored reports.

        Raises BadRequest for a rule about metrics that are not stored, TooManyRequests, Unavailable and StoreError.
        """
        for place, condition in enumerate(rule.when):
            if not METRICS[rule.subject][condition.metric].in_history:
                raise BadRequest(f"$.rule.when[{place}].metric: {condition.metric} is not kept, so there is no preview")
        if self._is_busy:
            raise TooManyRequests("another preview is being made", retry_after=5)
        self._is_busy = True
        try:
            # Live rooms are built from reports of the time before.
            lead = self._settings.leave_after + FRAME_RATE_WINDOW
            start = max(start, now - self._settings.sample_retention + lead)
            return await self._reader.result(self._replay(rule, start, max(start, end), lead))
        finally:
            self._is_busy = False

    def _replay(self, rule: Rule, start: float, end: float, lead: float) -> Steps[Preview]:
        run = Run(replace(rule, id=rule.id or "preview", enabled=True), self._no_rooms(), self._settings, start, end)
        wanted = glob(rule.scope.room)
        for reports in self._archive.received(start - lead, end):
            for received in reports:
                yield from (run.add if wanted(received.report.room_id) else run.hear)(received)
                yield
        yield from run.advance(end)
        return run.result(start, end)


class Run:
    """A replay: reports go in, in the order of their receipt, and each whole second from `start` on is evaluated."""

    def __init__(self, rule: Rule, rooms: LiveRooms, settings: Settings, start: float, end: float) -> None:
        self._rooms = rooms
        self._rule = CompiledRule(rule)
        self._start, self._part = start, max(1.0, end - start) / PARTS
        self._worst: list[float | None] = [None] * PARTS
        self._part_looked_at = -1
        self._evaluator = Evaluator(
            rooms, most=settings.max_alerts, stale_after=settings.stale_after, leave_after=settings.leave_after
        )
        self._evaluator.set_rules([rule], start)
        self._next = float(ceil(start))
        self._heard_at: float | None = None
        self._rate = SlidingCount(1, RATE_WINDOW)
        self._is_timed = rule.subject == "server"
        self._firings: dict[str, Alert] = {}

    def add(self, received: Received) -> Iterator[None]:
        yield from self.hear(received)
        self._rooms.expire(received.at)
        self._rooms.apply(received)

    def hear(self, received: Received) -> Iterator[None]:
        """A report of a room outside the rule's scope: it shows that the server is not starved."""
        yield from self.advance(received.at, before=True)
        self._heard_at = received.at
        self._rate.note(1, received.at)

    def advance(self, to: float, *, before: bool = False) -> Iterator[None]:
        """Evaluate all seconds until `to`, which is included unless `before`."""
        while self._next < to or (self._next == to and not before):
            self._rooms.expire(self._next)
            rate = self._rate.total(self._next) / RATE_WINDOW
            yield from self._evaluator.steps(self._next, Readings(self._heard_at, rate))
            self._note(self._evaluator.take_changes())
            if (part := self._part_of(self._next)) != self._part_looked_at:
                self._part_looked_at = part
                for value in self._values():
                    self._note_value(part, value)
            self._next = self._following(to)
            yield

    def _following(self, to: float) -> float:
        """The next second, or where no user is live and nothing is due, the last one until `to`."""
        if self._rooms.ids() or self._is_timed or self._evaluator.next_due() < inf:
            return self._next + 1
        return max(self._next + 1, float(floor(to)))

    def _part_of(self, at: float) -> int:
        return min(PARTS - 1, max(0, int((at - self._start) / self._part)))

    def _values(self) -> Iterator[float | None]:
        """The values of all current subjects of the rule."""
        rule, metric = self._rule.rule, self._rule.rule.when[0].metric
        for room_id in self._rooms.ids() if rule.subject != "server" else ():
            room = self._rooms.get(room_id)
            if room is None or not self._rule.scope.room(room_id):
                continue
            target = room_target(room_id, room, Members(room))
            users = [user_target(target, user, self._next) for user in room.users.values()]
            for one in [target] if rule.subject == "room" else users:
                if one.users >= (rule.min_users or 0) and not one.stale and one.in_scope(self._rule.scope):
                    yield one.read(metric)

    def _note_value(self, part: int, value: float | None) -> None:
        known = self._worst[part]
        if value is not None and (known is None or is_worse(self._rule.rule.when[0], value, known)):
            self._worst[part] = value

    def _note(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.alert.fired_at is not None:
                self._firings[change.alert.id] = change.alert

    def result(self, start: float, end: float) -> Preview:
        for alert in self._firings.values():
            if self._rule.rule.subject != "server":
                self._note_value(self._part_of(alert.fired_at or start), alert.worst)
        fired = sorted(self._firings.values(), key=lambda alert: (-(alert.fired_at or 0), alert.id))
        short = sum(one.resolved_at is not None and one.resolved_at - (one.fired_at or 0) < SHORT for one in fired)
        noise = round(short / len(fired), 3) if fired else None
        return Preview(len(fired), noise, start, end, fired[:MOST_ALERTS], self._worst)
