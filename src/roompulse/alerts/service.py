"""Alerts while the server runs: evaluated once a second, saved before they are sent, changed by operators."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from math import floor

from msgspec.structs import replace

from roompulse.alerts.defaults import DEFAULT_RULES
from roompulse.alerts.evaluator import Evaluator
from roompulse.alerts.incident import Change
from roompulse.alerts.listing import FiringAlerts, listed
from roompulse.alerts.metrics import Readings
from roompulse.alerts.model import LONGEST_SILENCE, Acknowledgement, Alert, Rule, Silence
from roompulse.alerts.shared_values import SharedValues, Values
from roompulse.alerts.store import AlertQuery, SqlAlerts, Stored
from roompulse.alerts.totals import Totals
from roompulse.alerts.validation import check_rule
from roompulse.clock import Clock
from roompulse.erasure.subject import Subject
from roompulse.errors import BadRequest, NotFound
from roompulse.periodic import Attempts, every
from roompulse.rooms.contract import LiveRooms
from roompulse.settings import Settings
from roompulse.store.engine import Database
from roompulse.store.reader import Reader

logger = logging.getLogger(__name__)

MAX_SILENCES = 1000
PRUNE_EVERY = 60.0

_SAVED_AT_ONCE = 100
"""Changes of one transaction, for which reports wait."""


class AlertService:
    """Evaluates, saves and lists alerts; holds rules and silences.

    `readings` brings the live rooms to the present and reads the rest. `changed` is called with changes of alerts
    that fire or are resolved, once saved, and `tell` with the values of open alerts. While the database cannot be
    written, nothing is evaluated, since nothing could be sent.

    With several workers, one of them evaluates, and the others follow what it saves. Each change
    is made in the context `exclusive`, in which one task of all workers is at a time.
    """

    def __init__(
        self,
        database: Database,
        reader: Reader,
        rooms: LiveRooms,
        readings: Callable[[], Readings],
        clock: Clock,
        changed: Callable[[Sequence[Change]], Awaitable[None]],
        tell: Callable[[Values], Awaitable[object]],
        settings: Settings,
        exclusive: Callable[[], AbstractAsyncContextManager[None]] | None = None,
    ) -> None:
        self._exclusive = exclusive
        self._evaluates = exclusive is None
        self._new_evaluator = partial(
            Evaluator,
            rooms,
            most=settings.max_alerts,
            stale_after=settings.stale_after,
            leave_after=settings.leave_after,
        )
        self._evaluator = self._new_evaluator()
        self._reader = reader
        self._firing = FiringAlerts(lambda: self._evaluator.firing())
        self._all_totals = Totals(rooms)
        self._store = SqlAlerts(database)
        self._readings = readings
        self._clock = clock
        self._changed = changed
        self.values = SharedValues(lambda: self._evaluator.open, tell)
        self._max_rules = settings.max_rules
        self._retention = settings.snapshot_retention
        self._rules: dict[str, Rule] = {}
        self._silences: dict[str, Silence] = {}
        self._unsaved: list[Change] = []
        self.version = 0
        """Grows whenever the firing alerts, or their fields other than values, change."""
        self._lock = asyncio.Lock()

    async def load(self) -> None:
        """Continue from the stored state. Raises StoreError."""
        stored = await self._store.load()
        if stored.rules is None:
            stored = replace(stored, rules=list(DEFAULT_RULES))
            await self._store.put_rules(*DEFAULT_RULES)
        self._unsaved = self._restore(stored)

    def _restore(self, stored: Stored) -> list[Change]:
        now, rules = self._clock(), stored.rules or ()
        self._rules = {rule.id: rule for rule in rules}
        self._silences = {one.id: one for one in stored.silences}
        self._evaluator = self._new_evaluator(rules=self._evaluator.rules)
        self._evaluator.set_rules(rules, now)
        self._evaluator.set_silences(stored.silences)
        found = self._evaluator.restore(stored.open_alerts, now)
        self.values.put()
        return found

    async def run(self) -> None:
        """Evaluate at each whole second, as the preview does."""
        attempt = Attempts(self.tick, "alerts could not be evaluated")
        self._evaluates = True
        try:
            while True:
                now = self._clock()
                await asyncio.sleep(floor(now) + 1 - now)
                await attempt()
        finally:
            self._evaluates = self._exclusive is None

    async def run_pruning(self) -> None:
        await every(PRUNE_EVERY, self.prune, "old alerts could not be deleted", at_once=True)

    async def tick(self) -> None:
        async with self._changing():
            await self._flush()
            for _ in self._evaluator.steps(self._clock(), self._readings()):
                await asyncio.sleep(0)
            await self._keep(self._evaluator.take_changes())
            await self.values.share()

    async def prune(self) -> None:
        now = self._clock()
        while await self._store.prune(now - self._retention, now):
            await asyncio.sleep(0)

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[None]:
        """One change at a time, in all workers, based on the newest state."""
        async with self._lock:
            if self._exclusive is None:
                yield
                return
            async with self._exclusive():
                await self._refresh()
                yield

    async def refresh(self) -> None:
        """Follow other workers' changes; raises StoreError."""
        async with self._lock:
            await self._refresh()

    async def _refresh(self) -> None:
        stored = await self._store.load()
        if not self._evaluates:
            self._restore(stored)
            self.version += 1
            return
        rules, silences = {one.id: one for one in stored.rules or ()}, {one.id: one for one in stored.silences}
        if rules != self._rules:
            self._rules = rules
            resolved = self._evaluator.set_rules(rules.values(), self._clock())
            still_open = {alert.id for alert, _ in stored.open_alerts}  # else the worker that changed the rule did it
            self._unsaved += [change for change in resolved if change.alert.id in still_open]
        if silences != self._silences:
            self._silences = silences
            self._evaluator.set_silences(self.silences)
            self.version += 1
        for alert, _ in stored.open_alerts:
            if alert.acknowledged:
                self._evaluator.acknowledge(alert.id, alert.acknowledged)

    async def _keep(self, changes: Iterable[Change]) -> None:
        self._unsaved += changes
        await self._flush()

    async def _flush(self) -> None:
        while self._unsaved:
            some = self._unsaved[:_SAVED_AT_ONCE]
            await self._store.save(some, self._rules.values(), self._clock())
            del self._unsaved[: len(some)]
            self.version += 1
            if told := [one for one in some if one.alert.state != "pending" and not one.dropped]:
                await self._changed(told)

    @property
    def totals(self) -> Totals:
        if self._evaluates:
            return self._evaluator.totals
        self._all_totals.put_all()
        return self._all_totals

    def counts(self) -> dict[tuple[str, str], int]:
        """Open alerts by severity and state."""
        return self._evaluator.counts()

    def firing(self, room_id: str | None = None) -> Sequence[Alert]:
        """Firing alerts, of a room and its users or all, most severe first; values may be outdated."""
        return self._firing.of((self.version, self._evaluator.open.turns), self._clock(), room_id)

    async def alerts(self, query: AlertQuery, state: str | None = None) -> list[Alert]:
        """Firing alerts, then pending ones, then resolved ones; each newest first. Raises StoreError."""
        wants_resolved = state in (None, "resolved")
        resolved = await self._reader.result(self._store.resolved(query)) if wants_resolved else []
        return await self._reader.run(lambda: listed(self._evaluator.alerts(), resolved, query, state))

    async def acknowledge(self, alert_id: str, note: str, by: str) -> Alert:
        """Raises NotFound and StoreError."""
        async with self._changing():
            change = self._evaluator.acknowledge(alert_id, Acknowledgement(by, self._clock(), note))
            if change is None:
                raise NotFound("no such alert fires")
            await self._keep([change])
            return change.alert

    @property
    def rules(self) -> list[Rule]:
        return sorted(self._rules.values(), key=lambda rule: (rule.name.casefold(), rule.id))

    def rule(self, rule_id: str) -> Rule:
        if (rule := self._rules.get(rule_id)) is None:
            raise NotFound("no such rule")
        return rule

    async def add_rule(self, rule: Rule, channels: Iterable[str]) -> Rule:
        """The rule with its id; raises BadRequest for an invalid one."""
        return await self._put_rule(replace(rule, id=secrets.token_hex(8)), channels, is_new=True)

    async def change_rule(self, rule_id: str, rule: Rule, channels: Iterable[str]) -> Rule:
        """Raises BadRequest, and NotFound."""
        return await self._put_rule(replace(rule, id=rule_id), channels, is_new=False)

    async def _put_rule(self, rule: Rule, channels: Iterable[str], *, is_new: bool) -> Rule:
        check_rule(rule)
        known = set(channels)
        for place, channel in enumerate(rule.channels):
            if channel not in known:
                raise BadRequest(f"$.channels[{place}]: there is no such channel")
        async with self._changing():
            if not is_new:
                self.rule(rule.id)  # it may have been removed meanwhile
            elif len(self._rules) >= self._max_rules:
                raise BadRequest(f"$: there are {self._max_rules} rules already, the maximum (MAX_RULES)")
            await self._store.put_rules(rule)
            self._rules[rule.id] = rule
            await self._apply_rules()
        return rule

    async def remove_rule(self, rule_id: str) -> None:
        self.rule(rule_id)
        async with self._changing():
            await self._store.remove_rule(rule_id)
            self._rules.pop(rule_id, None)
            await self._apply_rules()

    async def _apply_rules(self) -> None:
        await self._keep(self._evaluator.set_rules(self._rules.values(), self._clock()))

    @property
    def silences(self) -> list[Silence]:
        now = self._clock()
        return sorted((one for one in self._silences.values() if one.until > now), key=lambda one: (one.until, one.id))

    async def add_silence(self, silence: Silence) -> Silence:
        """The silence with its id; raises BadRequest for an invalid one."""
        now = self._clock()
        if not now < silence.until <= now + LONGEST_SILENCE:
            raise BadRequest("$.until: must be within a year from now")
        if silence.rule_id is not None and silence.rule_id not in self._rules:
            raise BadRequest("$.rule_id: there is no such rule")
        silence = replace(silence, id=secrets.token_hex(8))
        async with self._changing():
            if len(self.silences) >= MAX_SILENCES:
                raise BadRequest(f"$: there are {MAX_SILENCES} silences already, the maximum")
            await self._store.put_silence(silence)
            self._silences[silence.id] = silence
            self._evaluator.set_silences(self.silences)
            self.version += 1
        return silence

    async def remove_silence(self, silence_id: str) -> None:
        if silence_id not in self._silences:
            raise NotFound("no such silence")
        async with self._changing():
            await self._store.remove_silence(silence_id)
            self._silences.pop(silence_id, None)
            self._evaluator.set_silences(self.silences)
            self.version += 1

    async def forget(self, subject: Subject) -> None:
        """Drop alerts and silences about an erased subject, and its mentions in others, before they are deleted."""
        async with self._lock:
            kept = {one.id: one for one in self._silences.values() if not subject.covers(one.room_id, one.user_id)}
            self._silences = {key: replace(one, reason=subject.in_words(one.reason) or "") for key, one in kept.items()}
            self._evaluator.set_silences(self.silences)
            self._evaluator.forget(subject)
            self.version += 1
