"""An alert in one line: what, where, how bad, for how long, and why."""

from collections.abc import Sequence
from itertools import islice
from urllib.parse import quote

from roompulse.alerts.metrics import METRICS, Reader
from roompulse.alerts.model import Alert, Rule
from roompulse.events.model import TimelineEvent
from roompulse.quality import level_of
from roompulse.rooms.contract import LiveRoom, LiveUser
from roompulse.rooms.ranking import Place
from roompulse.rooms.verdict import text_of

_MOST_NAMED = 5
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def path_of(room_id: str | None, user_id: str | None) -> str:
    """The page that shows it, relative to the root of the application."""
    if room_id is None:
        return "ingest"
    room = f"rooms/{quote(room_id, safe='')}"
    return room if user_id is None else f"{room}/users/{quote(user_id, safe='')}"


def of_room(rule: Rule, room: LiveRoom, room_id: str, read: Reader) -> str:
    poor = [place.user_id for place in islice(room.worst_first(), _MOST_NAMED + 1) if _is_poor(place)]
    who = f" Poor: {named(poor, room.summary().aggregate.quality.poor)}." if poor else ""
    return f"{room_id}: {_figures(rule, read)}. {text_of(room.verdict())}.{who}"


def of_user(rule: Rule, user: LiveUser, room_id: str, read: Reader) -> str:
    reasons = user.metrics().quality.reasons[:2]
    why = f": {', '.join(reasons)}" if reasons else ""
    return f"{user.user_id} in {room_id}: {_figures(rule, read)}{why}."


def of_server(rule: Rule, read: Reader, detail: str) -> str:
    return f"Server: {_figures(rule, read)}{detail}."


def event_of(alert: Alert) -> TimelineEvent:
    """The event of a firing or resolved alert on the timeline of its room."""
    if alert.resolved_at is None:
        text = f"{alert.severity} alert: {alert.rule}"
        return TimelineEvent(
            alert.fired_at or alert.started_at, "alert_firing", alert.user_id, None, None, text, alert.text
        )
    text = f"resolved: {alert.rule}, after {duration(alert.resolved_at - alert.started_at)}"
    return TimelineEvent(alert.resolved_at, "alert_resolved", alert.user_id, None, None, text, alert.text)


def duration(seconds: float) -> str:
    """In its two largest units, as in `1 h 5 min`."""
    rest, parts = round(seconds), []
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def named(ids: Sequence[str], count: int) -> str:
    """Some of `count` ids, as in `ada, bo and 3 others`."""
    shown = ", ".join(ids[:_MOST_NAMED])
    others = count - min(len(ids), _MOST_NAMED)
    return f"{shown} and {others} other{'' if others == 1 else 's'}" if others > 0 else shown


def _figures(rule: Rule, read: Reader) -> str:
    known = METRICS[rule.subject]
    parts = []
    for condition in rule.when:
        metric, value = known[condition.metric], read(condition.metric)
        figure = "unknown" if value is None else metric.text(value)
        parts.append(f"{metric.words} {figure} ({condition.op} {metric.text(condition.value)})")
    hold = f" for {duration(rule.hold)}" if rule.hold else ""
    return " and ".join(parts) + hold


def _is_poor(place: Place) -> bool:
    return not place.unrated and level_of(place.score) == "poor"
