"""One open incident: of one rule, for one room, one user or the server."""

from hashlib import sha256

from msgspec import Struct
from msgspec.structs import replace

from roompulse.alerts.metrics import METRICS, Reader, is_worse
from roompulse.alerts.model import Acknowledgement, Alert, Rule, State
from roompulse.alerts.words import event_of, path_of
from roompulse.erasure.subject import Subject
from roompulse.events.model import TimelineEvent

Key = tuple[str, str | None, str | None]
"""Rule, room and user: there is at most one open incident of each."""


class Change(Struct, frozen=True):
    """A changed alert, to be stored. `told_at` is when it was last sent (Unix seconds).

    `is_sent` says that it is to be sent now, `is_turn` that it fired or was resolved with this change. A pending alert
    whose conditions stop holding is `dropped`.
    """

    alert: Alert
    told_at: float | None
    is_sent: bool = False
    dropped: bool = False
    is_turn: bool = False

    @property
    def event(self) -> tuple[str, TimelineEvent] | None:
        """The event of this change on the timeline of its room; None without a room or an event."""
        return (self.alert.room_id, event_of(self.alert)) if self.is_turn and self.alert.room_id is not None else None


class Incident:
    """`cleared_at` is since when its conditions have not held; `due` when it has to be evaluated, changed or not.

    `made` is the newest alert made of it, with the values that can change.
    """

    __slots__ = (
        "acknowledged",
        "cleared_at",
        "due",
        "fired_at",
        "id",
        "key",
        "made",
        "resolved_at",
        "started_at",
        "text",
        "told_at",
        "value",
        "worst",
    )

    def __init__(self, key: Key, started_at: float) -> None:
        self.key = key
        self.started_at = started_at
        # From its identity, so that it is the same alert when found again after a crash.
        self.id = sha256(repr((key, started_at)).encode()).hexdigest()[:20]
        self.fired_at: float | None = None
        self.resolved_at: float | None = None
        self.cleared_at: float | None = None
        self.told_at: float | None = None
        self.due: float | None = None
        self.value: float | None = None
        self.worst: float | None = None
        self.text = ""
        self.acknowledged: Acknowledgement | None = None
        self.made: tuple[object, Alert] | None = None

    @classmethod
    def restored(cls, alert: Alert, told_at: float | None) -> "Incident":
        incident = cls((alert.rule_id, alert.room_id, alert.user_id), alert.started_at)
        incident.id, incident.text, incident.acknowledged = alert.id, alert.text, alert.acknowledged
        incident.fired_at, incident.told_at = alert.fired_at, told_at
        incident.value, incident.worst = alert.value, alert.worst
        return incident

    def forget(self, subject: Subject) -> None:
        """Remove the name of an erased user."""
        self.made = None
        self.text = subject.in_sentence(self.text)
        if note := self.acknowledged:
            self.acknowledged = replace(note, note=subject.in_words(note.note) or "")

    @property
    def rule_id(self) -> str:
        return self.key[0]

    @property
    def state(self) -> State:
        if self.resolved_at is not None:
            return "resolved"
        return "pending" if self.fired_at is None else "firing"

    def has_just_fired(self, now: float) -> bool:
        """Whether it fired at `now`, and nothing has changed since."""
        return self.fired_at == now and self.acknowledged is None

    def note(self, rule: Rule, read: Reader) -> None:
        """Store the newest value of the rule's first condition."""
        condition = rule.when[0]
        value = read(condition.metric)
        self.value = value
        if value is not None and (self.worst is None or is_worse(condition, value, self.worst)):
            self.worst = value

    def alert(self, rule: Rule, silenced_until: float | None) -> Alert:
        """The same object where nothing has changed: pages list thousands again when one of them is silenced."""
        state = rule, silenced_until, self.state, self.text, self.value, self.worst, self.acknowledged
        if (made := self.made) is None or made[0] != state:
            made = self.made = state, self._alert(rule, silenced_until)
        return made[1]

    def _alert(self, rule: Rule, silenced_until: float | None) -> Alert:
        condition = rule.when[0]
        _, room_id, user_id = self.key
        return Alert(
            id=self.id,
            rule_id=rule.id,
            rule=rule.name,
            severity=rule.severity,
            subject=rule.subject,
            state=self.state,
            room_id=room_id,
            user_id=user_id,
            started_at=self.started_at,
            fired_at=self.fired_at,
            resolved_at=self.resolved_at,
            metric=condition.metric,
            value=self.value,
            worst=self.worst,
            threshold=condition.value,
            unit=METRICS[rule.subject][condition.metric].unit,
            text=self.text,
            path=path_of(room_id, user_id),
            acknowledged=self.acknowledged,
            silenced_until=silenced_until,
        )
