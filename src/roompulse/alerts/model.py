"""The types of alerts. Times are Unix seconds, durations seconds; None is "not known" or "not set"."""

from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct, field

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

Subject = Literal["room", "user", "server"]
State = Literal["pending", "firing", "resolved"]
STATES: tuple[State, ...] = get_args(State)
Op = Literal[">", ">=", "<", "<="]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)

LONGEST_HOLD = 86_400
"""Seconds: the longest `for`, `clear_for` and `repeat`."""

LONGEST_SILENCE = 365 * 86_400
"""Seconds."""

MAX_CONDITIONS = 10
MAX_CHANNELS_OF_RULE = 20
LONGEST_GLOB = 256
LONGEST_NAME = 100
LONGEST_NOTE = 500

Hold = Annotated[float, Meta(ge=0, le=LONGEST_HOLD)]
Glob = Annotated[str, Meta(min_length=1, max_length=LONGEST_GLOB)]
Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
Note = Annotated[str, Meta(max_length=LONGEST_NOTE)]
TimeOfDay = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", max_length=5)]


class Condition(Struct, frozen=True, forbid_unknown_fields=True):
    """`metric op value`. Once an alert fires, it holds until the metric is beyond `clear` instead (hysteresis)."""

    metric: str
    op: Op
    value: float
    clear: float | None = None


class Scope(Struct, frozen=True, forbid_unknown_fields=True):
    """What a rule is about, by globs (`*`, `?`, `[…]`), which ids match in full and case-sensitively.

    A room matches `user`, `sdk_version` and `labels` if one of its users does.
    """

    room: Glob | None = None
    user: Glob | None = None
    sdk_version: Glob | None = None
    labels: Annotated[dict[str, Glob], Meta(max_length=8)] = {}


class Active(Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}):
    """When a rule may fire: on `days`, from `start` to before `end` by the clocks in `zone` (an IANA name).

    Hours that end before they start reach into the following day, and belong to the day on which they start.
    """

    days: Annotated[list[Day], Meta(min_length=1)]
    start: TimeOfDay
    end: TimeOfDay
    zone: Annotated[str, Meta(min_length=1, max_length=64)]


class Rule(Struct, frozen=True, forbid_unknown_fields=True, rename={"hold": "for"}):
    """Fires for a subject for which all conditions `when` have held for `hold` seconds.

    It is resolved once they have not held for `clear_for` seconds. Only rooms of `min_users` and more count. While it
    fires it is sent again every `repeat` seconds, until somebody acknowledges it.
    """

    name: Name
    severity: Severity
    subject: Subject
    when: Annotated[list[Condition], Meta(min_length=1, max_length=MAX_CONDITIONS)]
    id: str = ""
    enabled: bool = True
    scope: Scope = Scope()
    hold: Hold = 0
    clear_for: Hold = 0
    min_users: Annotated[int, Meta(ge=1, le=10**6)] | None = None
    active: Active | None = None
    repeat: Annotated[float, Meta(ge=60, le=LONGEST_HOLD)] | None = None
    channels: Annotated[list[str], Meta(max_length=MAX_CHANNELS_OF_RULE)] = field(default_factory=list)


class Acknowledgement(Struct, frozen=True):
    by: str
    at: float
    note: str


class Alert(Struct, frozen=True):
    """One incident. `metric`, `value`, `threshold` and `unit` are those of the rule's first condition.

    `value` is the newest one, `worst` the one farthest past the threshold. `path` is that of the page.
    """

    id: str
    rule_id: str
    rule: str
    severity: Severity
    subject: Subject
    state: State
    room_id: str | None
    user_id: str | None
    started_at: float
    fired_at: float | None
    resolved_at: float | None
    metric: str
    value: float | None
    worst: float | None
    threshold: float
    unit: str
    text: str
    path: str
    acknowledged: Acknowledgement | None = None
    silenced_until: float | None = None


class Silence(Struct, frozen=True):
    """Alerts that match all that is given here are shown, and not sent, until `until`."""

    id: str
    rule_id: str | None
    room_id: str | None
    user_id: str | None
    until: float
    reason: str
    by: str

    def matches(self, rule_id: str, room_id: str | None, user_id: str | None) -> bool:
        return self.rule_id in (None, rule_id) and self.room_id in (None, room_id) and self.user_id in (None, user_id)
