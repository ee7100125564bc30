"""Channels and the outbox in the database. Every method raises StoreError when the database fails."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Row, and_, delete, exists, select, update

from roompulse.alerts.model import Alert
from roompulse.notify.model import Channel, Delivery, EndedCall, Message, Outcome
from roompulse.store.engine import Database
from roompulse.store.row_codec import put_rows
from roompulse.store.schema import channels, deliveries

T = TypeVar("T")

MOST_DUE = 200
"""Messages in one read."""


class Outbox:
    def __init__(self, database: Database) -> None:
        self._write = database.write
        self._reading = database.reading

    async def channels(self) -> list[Channel]:
        async with self._reading() as connection:
            found = (await connection.execute(select(channels.c.channel))).scalars().all()
        return [msgspec.json.decode(one, type=Channel) for one in found]

    async def put_channel(self, channel: Channel) -> None:
        row = {"id": channel.id, "enabled": int(channel.enabled), "channel": msgspec.json.encode(channel)}
        await self._run(lambda connection: put_rows(connection, channels, [row]))

    async def remove_channel(self, channel_id: str, now: float) -> None:
        """Remove a channel; its waiting messages are given up."""
        waiting = (deliveries.c.channel_id == channel_id) & deliveries.c.outcome.is_(None)
        given_up = update(deliveries).where(waiting).values(_done("given_up", "the channel was removed", now))

        def work(connection: Connection) -> None:
            connection.execute(delete(channels).where(channels.c.id == channel_id))
            connection.execute(given_up)

        await self._run(work)

    async def due(self, now: float, channel_ids: Sequence[str]) -> list[Delivery]:
        """Messages to send now to these channels, oldest first; for each alert and channel only the first."""
        earlier = deliveries.alias()
        is_first = ~exists().where(
            and_(
                earlier.c.alert_id == deliveries.c.alert_id,
                earlier.c.channel_id == deliveries.c.channel_id,
                earlier.c.outcome.is_(None),
                earlier.c.id < deliveries.c.id,
            )
        )
        of_channels = deliveries.c.channel_id.in_(channel_ids)
        statement = select(deliveries).where(of_channels, deliveries.c.next_at <= now * 1000, is_first)
        return await self._read(statement.order_by(deliveries.c.id).limit(MOST_DUE))

    async def of_alert(self, alert_id: str) -> list[Delivery]:
        """Its messages, oldest first."""
        return await self._read(select(deliveries).where(deliveries.c.alert_id == alert_id).order_by(deliveries.c.id))

    async def newest(self, limit: int) -> list[Delivery]:
        """Newest first."""
        return await self._read(select(deliveries).order_by(deliveries.c.id.desc()).limit(limit))

    async def finish(self, delivery: Delivery, outcome: Outcome, detail: str, now: float) -> None:
        values = _done(outcome, detail, now) | {"attempts": delivery.attempts + 1}
        await self._run(lambda connection: connection.execute(_one(delivery).values(values)))

    async def retry(self, delivery: Delivery, detail: str, at: float) -> None:
        values = {"next_at": round(at * 1000), "detail": detail, "attempts": delivery.attempts + 1}
        await self._run(lambda connection: connection.execute(_one(delivery).values(values)))

    async def _read(self, statement: Any) -> list[Delivery]:
        async with self._reading() as connection:
            rows: Sequence[Row[Any]] = (await connection.execute(statement)).all()
        return [_delivery(row) for row in rows]

    async def _run(self, work: Callable[[Connection], T]) -> T:
        return await self._write(work)


def _one(delivery: Delivery) -> Any:
    return update(deliveries).where(deliveries.c.id == delivery.id, deliveries.c.outcome.is_(None))


def _done(outcome: Outcome, detail: str, now: float) -> dict[str, Any]:
    return {"outcome": outcome, "detail": detail, "done_at": round(now * 1000), "next_at": None}


def _about(row: Row[Any]) -> dict[str, Any]:
    if row.type == "call.ended":
        return {"call": msgspec.json.decode(row.alert, type=EndedCall)}
    return {"alert": msgspec.json.decode(row.alert, type=Alert)}


def _delivery(row: Row[Any]) -> Delivery:
    message = Message(row.message_id, row.type, row.created_at / 1000, **_about(row))
    return Delivery(
        row.id,
        row.channel_id,
        message,
        row.attempts,
        None if row.next_at is None else row.next_at / 1000,
        None if row.done_at is None else row.done_at / 1000,
        row.outcome,
        row.detail,
    )
