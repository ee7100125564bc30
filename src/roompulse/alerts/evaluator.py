"""The state machine of alerts: pending, firing, resolved. It evaluates changed subjects and due alerts."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from math import inf

from msgspec.structs import replace

from roompulse.alerts.incident import Change, Incident
from roompulse.alerts.metrics import Readings
from roompulse.alerts.model import Acknowledgement, Alert, Rule, Silence
from roompulse.alerts.open_incidents import OpenIncidents
from roompulse.alerts.pace import Pace
from roompulse.alerts.scope import Members
from roompulse.alerts.silences import Silences
from roompulse.alerts.starvation import Starvation
from roompulse.alerts.targets import CompiledRule, RuleSet, Target, room_target, server_target, user_target
from roompulse.alerts.totals import Totals
from roompulse.alerts.words import duration
from roompulse.erasure.subject import Subject
from roompulse.rooms.contract import LiveRoom, LiveRooms, LiveUser

MOST_DUE = 500
"""Due alerts evaluated in one tick; further ones wait, so that a fault of all rooms does not block the server."""

LOOKS_AT_ONCE, LOOKS_PER_ROOM = 50, 5
"""Evaluations and users in one step of a tick, and how many of them a room counts as."""

_LEFT, _ENDED, _REMOVED = ": the user left", ": the room ended", ": the rule was removed or disabled"


class Evaluator:
    """At most `most` alerts fire at the same time; further ones are counted, and fire once others end.

    While the server receives no report for `stale_after` seconds, alerts about rooms and users stay as they are:
    silence is neither good nor bad, and rules about `silent_for` report it. After that, and after a start, rooms and
    users have `leave_after` seconds to come back.
    """

    def __init__(
        self, rooms: LiveRooms, *, most: int, stale_after: float, leave_after: float, rules: RuleSet | None = None
    ) -> None:
        self._rooms = rooms
        self.rules = rules or RuleSet()
        self._silences = Silences()
        self.open = OpenIncidents(most)
        self._stale_users: dict[str, set[str]] = {}
        self._version = 0
        self._now = 0.0
        self._starvation = Starvation(stale_after=stale_after, leave_after=leave_after)
        self._expected: int | None = None
        self._changes: list[Change] = []
        self._pace = Pace(LOOKS_AT_ONCE)
        self.totals = Totals(rooms)

    def set_rules(self, rules: Iterable[Rule], now: float) -> list[Change]:
        """Replace the rules; alerts of removed or disabled rules are resolved."""
        self._now = now
        new = RuleSet(rules, self.rules)
        for incident in self.open:
            rule, subject = new.enabled.get(incident.rule_id), self._rule(incident).rule.subject
            if rule is None or rule.rule.subject != subject:
                self._end(incident, _REMOVED)
        self.rules = new
        return self.take_changes()

    def set_silences(self, silences: Iterable[Silence]) -> None:
        """Replace the silences; alerts that are no longer silenced are sent with the next tick."""
        self._silences = Silences(silences)
        for incident in self.open.firing:
            if incident.told_at is None:
                self.open.schedule(incident, 0.0)

    def restore(self, alerts: Iterable[tuple[Alert, float | None]], now: float) -> list[Change]:
        """Continue with stored unresolved alerts, each with the time of its last message."""
        for alert, told_at in alerts:
            if alert.rule_id in self.rules.enabled:
                incident = Incident.restored(alert, told_at)
                self.open.add(incident)
                self.open.schedule(incident, now)
            else:
                ended, fired = replace(alert, state="resolved", resolved_at=now), alert.fired_at is not None
                self._changes.append(Change(ended, told_at, dropped=not fired, is_turn=fired))
        return self.take_changes()

    def forget(self, subject: Subject) -> None:
        """Drop alerts about an erased subject, without a message, and its mentions in others."""
        self.open.forget(subject)

    def acknowledge(self, alert_id: str, acknowledged: Acknowledgement) -> Change | None:
        """None where no such alert fires."""
        if incident := next((one for one in self.open.firing if one.id == alert_id), None):
            incident.acknowledged = acknowledged
            return self._change(incident)
        return None

    def alerts(self) -> list[Alert]:
        """All pending and firing alerts. Other threads may call it too: alerts of a removed rule are left out."""
        found = [(self.rules.enabled.get(one.rule_id), one) for one in self.open]
        return [self._alert(one, rule) for rule, one in found if rule]

    def firing(self) -> list[Alert]:
        return [self._alert(one) for one in self.open.firing]

    def counts(self) -> Counter[tuple[str, str]]:
        """Open alerts by severity and state; those over the limit of firing ones have the state `further`."""
        return Counter(
            (self._rule(one).rule.severity, "further" if one in self.open.further else one.state) for one in self.open
        )

    def tick(self, now: float, readings: Readings) -> list[Change]:
        """Bring all alerts to the present, and return the changed ones. The live rooms are already up to date."""
        for _ in self.steps(now, readings):
            pass
        return self.take_changes()

    def steps(self, now: float, readings: Readings) -> Iterator[None]:
        """A tick in steps of some milliseconds. Changes of live rooms between steps wait for the next tick."""
        self._now = now
        self._starvation.note(now, readings.heard_at, self.open)
        yield from self._look_at_rooms(self._due_users())
        self._look_at_server(readings)

    def next_due(self) -> float:
        """A lower bound of the next due time without changes (Unix seconds); infinite where nothing is due."""
        return self._now if self._stale_users else self.open.next_due()

    def _due_users(self) -> defaultdict[str, set[str]]:
        """Users to evaluate by room, changed or not; due messages are sent."""
        to_check: defaultdict[str, set[str]] = defaultdict(set, self._stale_users)
        self._stale_users = {}
        for incident in islice(self.open.pop_due(self._now), MOST_DUE):
            if incident.fired_at is not None:
                self._send_if_due(incident)
            _, room_id, user_id = incident.key
            if room_id is not None:
                to_check[room_id] |= {user_id} if user_id is not None else set()
        return to_check

    def _look_at_rooms(self, to_check: defaultdict[str, set[str]]) -> Iterator[None]:
        since = newest = self._version
        for room_id in self._rooms.ids(since):
            to_check[room_id] |= set()
            if room := self._rooms.get(room_id):
                newest = max(newest, room.version)
        for room_id, user_ids in to_check.items():
            if room := self._rooms.get(room_id):
                yield from room.steps()
                self.totals.put(room.summary())
                if not self._starvation.lasts:
                    yield from self._look_at_room(room_id, room, user_ids, since)
            yield from self._pace.after(LOOKS_PER_ROOM)
        self._version = newest
        self.totals.drop_ended()
        if not self._starvation.lasts:
            self._end_rooms()

    def _end_rooms(self) -> None:
        for room_id in self.open.rooms():
            if self._rooms.get(room_id) is None:
                for incident in self.open.of_room(room_id):
                    self._end_absent(incident, _ENDED)

    def _end_absent(self, incident: Incident, why: str) -> None:
        if not self._starvation.may_come_back(incident, self._now):
            self._end(incident, why)

    def _look_at_room(self, room_id: str, room: LiveRoom, user_ids: set[str], since: int) -> Iterator[None]:
        for incident in self.open.of_room(room_id):
            if (user_id := incident.key[2]) is None:
                continue
            if user_id in room.users:
                user_ids.add(user_id)
            else:
                self._end_absent(incident, _LEFT)
        members = Members(room)
        target = room_target(room_id, room, members)
        for rule in () if target.stale else [one for one in self.rules.of_rooms if one.scope.room(room_id)]:
            if rule.scope.names_users and self._may_begin(rule, target):
                for _ in members.look(rule.scope):
                    yield from self._pace.after()
            self._judge(rule, target)
            yield from self._pace.after()
        if rules := [rule for rule in self.rules.of_users if rule.scope.room(room_id)]:
            fires = (rule for rule in self.rules.of_rooms if rule.covers and self.open.is_firing(rule.key(target)))
            target.covered = max((rule.rank for rule in fires), default=-1)
            changed = [user for user in room.users.values() if user.version > since or user.user_id in user_ids]
            yield from self._look_at_users(rules, target, changed)

    def _look_at_users(self, rules: Sequence[CompiledRule], room: Target, users: Sequence[LiveUser]) -> Iterator[None]:
        timed = any(rule.is_about_staleness for rule in rules)
        for user in users:
            if timed and user.stale and room.room_id is not None:
                self._stale_users.setdefault(room.room_id, set()).add(user.user_id)
            one = user_target(room, user, self._now)
            for rule in rules:
                self._judge(rule, one)
            yield from self._pace.after(len(rules))

    def _look_at_server(self, readings: Readings) -> None:
        if self._expected is None or not self._starvation.lasts:
            self._expected = sum(self.totals.users.values())
        figures = self.totals.figures(readings, self._now, is_anybody_expected=self._expected > 0)
        for rule in self.rules.of_server:
            self._judge(rule, server_target(figures, rule, self._expected, stale=readings.heard_at is None))

    def _judge(self, rule: CompiledRule, target: Target) -> None:
        if (incident := self.open.get(rule.key(target))) is None:
            if self._may_begin(rule, target) and target.in_scope(rule.scope):
                self._begin(rule, target)
            return
        firing = incident.fired_at is not None
        holding = rule.holds(target, firing=firing)
        self._starvation.came_back(incident)
        incident.note(rule.rule, target.read)
        if firing:
            if holding or (holding is None and target.stale):
                incident.cleared_at = None
            else:
                self._clear(rule, incident)
        elif holding and rule.scope.is_active(self._now):
            self._fire_if_due(rule, incident, target)
        else:
            self._end(incident)

    def _may_begin(self, rule: CompiledRule, target: Target) -> bool:
        return not self.open.is_full and rule.holds(target, firing=False) is True and rule.scope.is_active(self._now)

    def _begin(self, rule: CompiledRule, target: Target) -> None:
        incident = Incident(rule.key(target), self._now)
        incident.note(rule.rule, target.read)
        incident.text = rule.rule.name
        self.open.add(incident)
        self._fire_if_due(rule, incident, target)
        if incident.fired_at is None:
            self.open.schedule(incident, incident.started_at + rule.rule.hold)
            self._changes.append(self._change(incident))

    def _fire_if_due(self, rule: CompiledRule, incident: Incident, target: Target) -> None:
        if self._now < incident.started_at + rule.rule.hold or rule.rank <= target.covered:
            return
        if not self.open.may_fire:
            self.open.further.add(incident)
            return
        incident.fired_at = self._now
        self.open.fires(incident)
        incident.text = target.words(rule.rule)
        if not self._send_if_due(incident):
            self._changes.append(self._change(incident))

    def _clear(self, rule: CompiledRule, incident: Incident) -> None:
        if incident.cleared_at is None:
            incident.cleared_at = self._now
        until = incident.cleared_at + rule.rule.clear_for
        if self._now >= until:
            self._end(incident)
        else:
            self.open.schedule(incident, until)

    def _send_if_due(self, incident: Incident) -> bool:
        """Send a firing alert that was not sent yet, or is to be repeated; otherwise schedule its next evaluation."""
        repeat = None if incident.acknowledged else self._rule(incident).rule.repeat
        due = self._now if incident.told_at is None else incident.told_at + (repeat or inf)
        due = max(due, self._silences.until(incident.key, self._now) or due)
        if sends := due <= self._now:
            incident.told_at, due = self._now, self._now + (repeat or inf)
            self._changes.append(self._change(incident, is_sent=True))
        if due < inf:
            self.open.schedule(incident, due)
        return sends

    def _end(self, incident: Incident, why: str = "") -> None:
        """Resolve a firing alert; drop a pending one."""
        fired, told_at = incident.fired_at is not None, incident.told_at
        if fired:
            incident.resolved_at = self._now
            incident.text += f" Resolved after {duration(self._now - incident.started_at)}{why}."
        alert, sent = incident.alert(self._rule(incident).rule, None), fired and told_at is not None
        self._changes.append(Change(alert, told_at, is_sent=sent, dropped=not fired, is_turn=fired))
        self.open.remove(incident)
        self._starvation.came_back(incident)

    def _rule(self, incident: Incident) -> CompiledRule:
        return self.rules.enabled[incident.rule_id]

    def _alert(self, incident: Incident, rule: CompiledRule | None = None) -> Alert:
        until = self._silences.until(incident.key, self._now)
        return incident.alert((rule or self._rule(incident)).rule, until)

    def _change(self, incident: Incident, *, is_sent: bool = False) -> Change:
        alert, fires = self._alert(incident), incident.has_just_fired(self._now)
        return Change(alert, incident.told_at, is_sent=is_sent, is_turn=fires)

    def take_changes(self) -> list[Change]:
        """The changes since the previous call."""
        changes, self._changes = self._changes, []
        return changes
