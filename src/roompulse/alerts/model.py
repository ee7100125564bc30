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
TimeOfDay = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", max_length=5)]


class Condition(Struct, frozen=True, forbid_unknown_fields=True):
    """`metric op value`. Once an alert fires, it holds until the metric is beyond `clear` instead (hysteresis)."""

    metric: str
    """One of the subject's (docs/alerts.md)."""
    op: Op
    """How `metric` compares with `value`."""
    value: float
    """In the unit of the metric."""
    clear: float | None = None
    """In the unit of the metric: once it fires, it ends only beyond this; None: beyond `value`."""


class Scope(Struct, frozen=True, forbid_unknown_fields=True):
    """The subjects of a rule, by globs (`*`, `?`, `[…]`), which ids match in full and case-sensitively.

    A room matches `user`, `sdk_version` and `labels` if one of its users does.
    """

    room: Glob | None = None
    """Glob of room ids; None: every room."""
    user: Glob | None = None
    """Glob of user ids; None: every user."""
    sdk_version: Glob | None = None
    """Glob; None: every version."""
    labels: Annotated[dict[str, Glob], Meta(max_length=8)] = {}
    """A glob for each key that is to match."""


class Active(Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}):
    """When a rule may fire: on `days`, from `start` to before `end` by the clocks in `zone` (an IANA name).

    Hours that end before they start reach into the following day, and belong to the day on which they start.
    """

    days: Annotated[list[Day], Meta(min_length=1)]
    """Days on which it may begin."""
    start: TimeOfDay
    """From then on, `HH:MM`."""
    end: TimeOfDay
    """Before then, `HH:MM`; earlier than `from`: on the next day."""
    zone: Annotated[str, Meta(min_length=1, max_length=64)]
    """The time zone, such as `Europe/Berlin`."""


class Rule(Struct, frozen=True, forbid_unknown_fields=True, rename={"hold": "for"}):
    """When alerts are raised, and where they are sent."""

    name: Name
    """For people."""
    severity: Severity
    """Of its alerts."""
    subject: Subject
    """What each alert is about."""
    when: Annotated[list[Condition], Meta(min_length=1, max_length=MAX_CONDITIONS)]
    """Conditions, which all have to hold."""
    id: str = ""
    """Given by the server."""
    enabled: bool = True
    """Whether it raises alerts."""
    scope: Scope = Scope()
    """Its subjects."""
    hold: Hold = 0.0
    """Seconds for which the conditions must hold until it fires."""
    clear_for: Hold = 0.0
    """Seconds for which the conditions must not hold until it is resolved."""
    min_users: Annotated[int, Meta(ge=1, le=10**6)] | None = None
    """Minimum number of users of the room; for `silent_for`, of users in calls before."""
    active: Active | None = None
    """When it may fire; None: always."""
    repeat: Annotated[float, Meta(ge=60, le=LONGEST_HOLD)] | None = None
    """Seconds after which it is sent again until it is acknowledged; None: it is sent once."""
    channels: Annotated[list[str], Meta(max_length=MAX_CHANNELS_OF_RULE)] = field(default_factory=list)
    """Ids of the channels to which it is sent."""


class Acknowledgement(Struct, frozen=True):
    by: str
    """Who did it."""
    at: float
    """Unix seconds."""
    note: str
    """What was written to it."""


class Alert(Struct, frozen=True):
    """One incident."""

    id: str
    """Of this incident."""
    rule_id: str
    """Of the rule that raised it."""
    rule: str
    """Its name."""
    severity: Severity
    """That of the rule."""
    subject: Subject
    """Whether it is about a room, a user or the server."""
    state: State
    """`pending` until the conditions have held long enough, then `firing`, in the end `resolved`."""
    room_id: str | None
    """None for an alert about the server."""
    user_id: str | None
    """None for an alert about a room or the server."""
    started_at: float
    """When the conditions began to hold, Unix seconds."""
    fired_at: float | None
    """Unix seconds; None while it is pending."""
    resolved_at: float | None
    """Unix seconds; None until then."""
    metric: str
    """That of the rule's first condition."""
    value: float | None
    """The newest, in `unit`."""
    worst: float | None
    """The one farthest past the threshold, in `unit`."""
    threshold: float
    """That of the rule's first condition, in `unit`."""
    unit: str
    """Of these figures; empty for scores and counts."""
    text: str
    """In words, with names and figures."""
    path: str
    """Of the page, relative to PUBLIC_URL."""
    acknowledged: Acknowledgement | None = None
    """None until it is acknowledged."""
    silenced_until: float | None = None
    """Unix seconds; None where nothing silences it."""


class Silence(Struct, frozen=True):
    """Alerts that match all given fields are shown, and not sent, until `until`."""

    id: str
    """Given by the server."""
    rule_id: str | None
    """Only alerts of this rule."""
    room_id: str | None
    """Only alerts about this room and its users."""
    user_id: str | None
    """Only alerts about this user."""
    until: float
    """When it ends, Unix seconds."""
    reason: str
    """What was written to it."""
    by: str
    """Who did it."""
