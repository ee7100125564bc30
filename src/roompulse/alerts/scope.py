"""The subjects of a rule, and its active times."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from fnmatch import translate
from zoneinfo import ZoneInfo

from roompulse.alerts.model import DAYS, Active, Rule
from roompulse.rooms.contract import LiveRoom, LiveUser

Matches = Callable[[str], bool]


class RuleScope:
    """The globs of a rule, compiled, and its active hours with their zone."""

    def __init__(self, rule: Rule) -> None:
        scope = rule.scope
        self.room = glob(scope.room)
        self.user = glob(scope.user)
        self.sdk_version = glob(scope.sdk_version)
        self.of_users = scope.user, scope.sdk_version, tuple(sorted(scope.labels.items()))
        self.names_users = self.of_users != (None, None, ())
        self._has_details = bool(scope.sdk_version or scope.labels)
        self._labels = {key: glob(pattern) for key, pattern in scope.labels.items()}
        self._active = rule.active
        self._zone: tzinfo = ZoneInfo(rule.active.zone) if rule.active else UTC

    def has_user(self, user: LiveUser) -> bool:
        if not self.user(user.user_id):
            return False
        if not self._has_details:
            return True
        metrics = user.metrics()
        labels = metrics.labels or {}
        return self.sdk_version(metrics.sdk_version) and all(
            key in labels and matches(labels[key]) for key, matches in self._labels.items()
        )

    def is_active(self, now: float) -> bool:
        return self._active is None or is_active(self._active, datetime.fromtimestamp(now, self._zone))


class Members:
    """The users of a room at one moment: matched once for all rules with the same globs of users."""

    def __init__(self, room: LiveRoom) -> None:
        self._room = room
        self._known: dict[object, bool] = {}

    def look(self, scope: RuleScope) -> Iterator[None]:
        """Find whether one matches, in steps of one user."""
        if scope.of_users in self._known:
            return
        found = False
        for user in list(self._room.users.values()):
            yield
            if found := scope.has_user(user):
                break
        self._known[scope.of_users] = found

    def match(self, scope: RuleScope) -> bool:
        """Whether one matches, or the scope names none."""
        for _ in self.look(scope) if scope.names_users else ():
            pass
        return not scope.names_users or self._known[scope.of_users]


def is_active(hours: Active, local: datetime) -> bool:
    """Whether a local time is within these hours; an hour that clocks repeat or skip counts as its clocks show it."""
    time, start, end = local.strftime("%H:%M"), hours.start, hours.end
    today, yesterday = DAYS[local.weekday()], DAYS[(local - timedelta(days=1)).weekday()]
    if start < end:
        return today in hours.days and start <= time < end
    return (today in hours.days and time >= start) or (yesterday in hours.days and time < end)


def glob(pattern: str | None) -> Matches:
    if pattern in (None, "*"):
        return _everything
    match = re.compile(translate(pattern or "")).match
    return lambda text: match(text) is not None


def _everything(_text: str) -> bool:
    return True
