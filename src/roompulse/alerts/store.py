"""Rules, alerts and silences in the database; with an alert, its messages and the event of its room are saved.

Every method raises StoreError when the database fails; nothing of it took effect then.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, delete, insert, select, tuple_, update

from roompulse.alerts.incident import Change
from roompulse.alerts.model import Alert, Rule, Severity, Silence
from roompulse.store.contract import Steps
from roompulse.store.engine import Database
from roompulse.store.events import event_row
from roompulse.store.row_codec import FETCH_AT_ONCE, add_rows, put_rows
from roompulse.store.schema import alert_rules, alerts, channels, deliveries, events, silences

_PRUNE_AT_ONCE = 500

_END = alerts.c.resolved_at, alerts.c.id

T = TypeVar("T")


class Stored(Struct, frozen=True):
    """The stored state at a start: `rules` is None at the first one; alerts have the time of their last message."""

    rules: list[Rule] | None
    silences: list[Silence]
    open_alerts: list[tuple[Alert, float | None]]


class AlertQuery(Struct, frozen=True):
    """Which resolved alerts: open between `start` and `end` (Unix seconds), the newest `limit`."""

    severity: Severity | None = None
    room_id: str | None = None
    start: float | None = None
    end: float | None = None
    limit: int = 100


class SqlAlerts:
    def __init__(self, database: Database) -> None:
        self._write = database.write
        self._reading = database.reading
        self._fetch = database.fetch

    async def load(self) -> Stored:
        async with self._reading() as connection:
            rules = (await connection.execute(select(alert_rules.c.rule))).scalars().all()
            quiet = (await connection.execute(select(silences.c.silence))).scalars().all()
            unresolved = alerts.c.resolved_at.is_(None)
            rows = (await connection.execute(select(alerts.c.alert, alerts.c.told_at).where(unresolved))).all()
        return Stored(
            [msgspec.json.decode(rule, type=Rule) for rule in rules if rule is not None] if rules else None,
            [msgspec.json.decode(one, type=Silence) for one in quiet],
            [(msgspec.json.decode(row.alert, type=Alert), _seconds(row.told_at)) for row in rows],
        )

    async def put_rules(self, *rules: Rule) -> None:
        rows = [{"id": rule.id, "rule": msgspec.json.encode(rule)} for rule in rules]
        await self._run(lambda connection: put_rows(connection, alert_rules, rows))

    async def remove_rule(self, rule_id: str) -> None:
        gone = update(alert_rules).where(alert_rules.c.id == rule_id).values(rule=None)
        await self._run(lambda connection: connection.execute(gone))

    async def put_silence(self, silence: Silence) -> None:
        row = {"id": silence.id, "until": round(silence.until * 1000), "silence": msgspec.json.encode(silence)}
        await self._run(lambda connection: connection.execute(insert(silences), [row]))

    async def remove_silence(self, silence_id: str) -> None:
        gone = delete(silences).where(silences.c.id == silence_id)
        await self._run(lambda connection: connection.execute(gone))

    async def save(self, changes: Sequence[Change], rules: Iterable[Rule], now: float) -> None:
        """Save these changes, with their messages to the channels that their rules name now."""
        wanted = {rule.id: rule.channels for rule in rules}
        await self._run(lambda connection: _save(connection, changes, wanted, now))

    def resolved(self, query: AlertQuery) -> Steps[list[Alert]]:
        """Newest first; for a `Reader`."""
        statement = select(alerts.c.alert, *_END).where(alerts.c.resolved_at.is_not(None))
        if query.severity is not None:
            statement = statement.where(alerts.c.severity == query.severity)
        if query.room_id is not None:
            statement = statement.where(alerts.c.room_id == query.room_id)
        if query.start is not None:
            statement = statement.where(alerts.c.resolved_at >= query.start * 1000)
        if query.end is not None:
            statement = statement.where(alerts.c.started_at <= query.end * 1000)
        rest = statement = statement.order_by(*(column.desc() for column in _END))
        found: list[Alert] = []
        while size := min(FETCH_AT_ONCE, query.limit - len(found)):
            rows = self._fetch(rest.limit(size))
            found += [msgspec.json.decode(row.alert, type=Alert) for row in rows]
            if len(rows) < size:
                break
            rest = statement.where(tuple_(*_END) < (rows[-1].resolved_at, rows[-1].id))
            yield
        return found

    async def prune(self, before: float, now: float) -> int:
        """Delete some alerts that ended before that time, and return how many."""
        ended = select(alerts.c.id).where(alerts.c.resolved_at < before * 1000).limit(_PRUNE_AT_ONCE)
        done = select(deliveries.c.id).where(deliveries.c.done_at < before * 1000).limit(_PRUNE_AT_ONCE)
        statements = (
            delete(alerts).where(alerts.c.id.in_(ended.scalar_subquery())),
            delete(deliveries).where(deliveries.c.id.in_(done.scalar_subquery())),
            delete(silences).where(silences.c.until < now * 1000),
        )
        return await self._run(lambda connection: sum(connection.execute(one).rowcount for one in statements))

    async def _run(self, work: Callable[[Connection], T]) -> T:
        return await self._write(work)


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _save(connection: Connection, changes: Sequence[Change], wanted: dict[str, list[str]], now: float) -> None:
    enabled = set(connection.execute(select(channels.c.id).where(channels.c.enabled == 1)).scalars())
    for change in changes:
        alert = change.alert
        if change.dropped:
            connection.execute(delete(alerts).where(alerts.c.id == alert.id))
            continue
        put_rows(connection, alerts, [_row(change)])
        if told := change.event:
            add_rows(connection, events, [event_row(*told)])
        if change.is_sent:
            to = _told(connection, alert) if alert.state == "resolved" else wanted.get(alert.rule_id, ())
            if messages := [_message(change, channel, now) for channel in dict.fromkeys(to) if channel in enabled]:
                connection.execute(insert(deliveries), messages)


def _told(connection: Connection, alert: Alert) -> Iterable[str]:
    """The channels that received its firing."""
    told = select(deliveries.c.channel_id).where(deliveries.c.alert_id == alert.id).order_by(deliveries.c.id)
    return connection.execute(told).scalars().all()


def _row(change: Change) -> dict[str, Any]:
    alert = change.alert
    return {
        "id": alert.id,
        "state": alert.state,
        "severity": alert.severity,
        "room_id": alert.room_id,
        "started_at": _milliseconds(alert.started_at),
        "resolved_at": _milliseconds(alert.resolved_at),
        "told_at": _milliseconds(change.told_at),
        "alert": msgspec.json.encode(alert),
    }


def _message(change: Change, channel_id: str, now: float) -> dict[str, Any]:
    alert, at = change.alert, _milliseconds(now)
    return {
        "channel_id": channel_id,
        "alert_id": alert.id,
        # One id for all attempts: receivers recognise repeats by it.
        "message_id": f"msg_{alert.id}_{alert.state}_{_milliseconds(change.told_at)}",
        "type": f"alert.{alert.state}",
        "alert": msgspec.json.encode(alert),
        "created_at": at,
        "next_at": at,
        "attempts": 0,
        "detail": "",
    }
