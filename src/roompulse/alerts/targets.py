"""The subjects of rules (a room, a user or the server), and the compiled rules."""

from collections.abc import Callable, Iterable
from functools import partial

from msgspec import Struct

from roompulse.alerts import words
from roompulse.alerts.incident import Key
from roompulse.alerts.metrics import OPS, Reader, ServerFigures, remembered, room_reader, server_reader, user_reader
from roompulse.alerts.model import SEVERITIES, Rule, Subject
from roompulse.alerts.scope import Members, RuleScope
from roompulse.rooms.contract import LiveRoom, LiveUser


class Target(Struct, gc=False):
    """`users` are in its room; it is `stale` while no report is about it, and its state is then unknown.

    Alerts about a user are `covered` up to this rank: one about the room, which names its users, fires already.
    """

    room_id: str | None
    user_id: str | None
    read: Reader
    users: int
    stale: bool
    in_scope: Callable[[RuleScope], bool]
    words: Callable[[Rule], str]
    covered: int = -1


class CompiledRule:
    """A rule about the quality of rooms `covers` alerts about users that are no more severe."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.scope = RuleScope(rule)
        self.rank = SEVERITIES.index(rule.severity)
        self.covers = any(condition.metric != "user_count" for condition in rule.when)
        self.is_about_staleness = rule.subject == "user" and any(one.metric == "stale_for" for one in rule.when)
        self._tests = [
            (one.metric, OPS[one.op], one.value, one.value if one.clear is None else one.clear) for one in rule.when
        ]
        self._min_users = rule.min_users or 0

    def holds(self, target: Target, *, firing: bool) -> bool | None:
        """Whether all conditions hold; None where that is not known."""
        if target.users < self._min_users:
            return False
        found: bool | None = True
        for metric, compare, threshold, clear in self._tests:
            value = target.read(metric)
            if value is None:
                found = None
            elif not compare(value, clear if firing else threshold):
                return False
        return found

    def key(self, target: Target) -> Key:
        return self.rule.id, target.room_id, target.user_id


def room_target(room_id: str, room: LiveRoom, members: Members) -> Target:
    summary = room.summary()
    read = remembered(room_reader(summary))
    return Target(
        room_id,
        None,
        read,
        summary.aggregate.user_count,
        summary.stale,
        members.match,
        lambda rule: words.of_room(rule, room, room_id, read),
    )


def user_target(room: Target, user: LiveUser, now: float) -> Target:
    room_id, read = room.room_id or "", remembered(user_reader(user, now))
    return Target(
        room_id,
        user.user_id,
        read,
        room.users,
        user.stale,
        lambda scope: scope.has_user(user),
        lambda rule: words.of_user(rule, user, room_id, read),
        room.covered,
    )


def server_target(figures: ServerFigures, rule: CompiledRule, expected: int, *, stale: bool) -> Target:
    """`expected` are the users from whom reports are expected."""
    read = server_reader(figures, rule.scope.sdk_version)
    return Target(None, None, read, expected, stale, lambda _scope: True, partial(_of_server, figures, read))


def _of_server(figures: ServerFigures, read: Reader, rule: Rule) -> str:
    worst = max(figures.refused.items(), key=lambda one: one[1], default=None)
    is_told = worst and any(condition.metric == "refused_share" for condition in rule.when)
    detail = f": version {worst[0] or 'unknown'}, {worst[1]:.1f} %" if worst and is_told else ""
    return words.of_server(rule, read, detail)


class RuleSet:
    """The enabled rules, by id and by subject.

    Unchanged rules of `before` stay compiled: 200 with long globs take a second, for which reports would wait.
    """

    def __init__(self, rules: Iterable[Rule] = (), before: "RuleSet | None" = None) -> None:
        known = before.enabled if before else {}
        self.enabled: dict[str, CompiledRule] = {
            rule.id: _compiled(rule, known.get(rule.id)) for rule in rules if rule.enabled
        }
        self.of_rooms = self._about("room")
        self.of_users = self._about("user")
        self.of_server = self._about("server")

    def _about(self, subject: Subject) -> list[CompiledRule]:
        return [rule for rule in self.enabled.values() if rule.rule.subject == subject]


def _compiled(rule: Rule, known: CompiledRule | None) -> CompiledRule:
    return known if known and known.rule == rule else CompiledRule(rule)
