"""Messages about ended calls: queued in the outbox with the end of the call, and made when they are sent."""

import secrets

import msgspec
from sqlalchemy import Connection, insert, select

from roompulse.calls.model import CallReport
from roompulse.calls.recorder import NOTE_EVERY
from roompulse.calls.reports import CallReports
from roompulse.clock import Clock
from roompulse.errors import StoreError, Unavailable
from roompulse.notify.model import Channel, EndedCall, SendError
from roompulse.store.schema import channels, deliveries

WHOLE_AFTER = 2 * NOTE_EVERY
"""Seconds after the end of a call until the figures of its last users are saved: then the report is sent."""


class EndedCalls:
    def __init__(self, reports: CallReports, clock: Clock) -> None:
        self._reports = reports
        self._clock = clock

    def put(self, connection: Connection, room_id: str, started_at: int) -> None:
        """Queue a message for each subscribed channel in the outbox, within the transaction that ends the call.

        `started_at` is Unix milliseconds.
        """
        enabled = connection.execute(select(channels.c.channel).where(channels.c.enabled == 1)).scalars()
        known = (msgspec.json.decode(channel, type=Channel) for channel in enabled)
        call, now = EndedCall(room_id, started_at / 1000), self._clock()
        key = f"call_{secrets.token_hex(8)}"
        rows = [
            {
                "channel_id": channel.id,
                "alert_id": key,
                "message_id": f"msg_{key}",
                "type": "call.ended",
                "alert": msgspec.json.encode(call),
                "created_at": round(now * 1000),
                "next_at": round((now + WHOLE_AFTER) * 1000),
                "attempts": 0,
                "detail": "",
            }
            for channel in known
            if channel.call_ended
        ]
        if rows:
            connection.execute(insert(deliveries), rows)

    async def report(self, call: EndedCall) -> CallReport:
        """The report on a call; raises SendError."""
        try:
            report = await self._reports.of(call.room_id, call.started_at)
        except (StoreError, Unavailable) as error:
            raise SendError(f"the report could not be read: {error}") from None
        if report is None:
            raise SendError("the call is no longer retained", final=True)
        return report
