"""Delivers the outbox: each channel separately, so that one that hangs delays no other."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from roompulse.clock import Clock
from roompulse.errors import NotFound, StoreError
from roompulse.notify.channels import Channels
from roompulse.notify.model import Channel, Delivery, Kind, Message, Outcome, SendError
from roompulse.notify.store import Outbox
from roompulse.periodic import Attempts

logger = logging.getLogger(__name__)

LOOK_EVERY = 1.0
GIVE_UP_AFTER = 86_400.0
"""Seconds for which a message is retried."""

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 3_600.0
LONGEST_ATTEMPT = 60.0


class Sender(Protocol):
    async def send(self, channel: Channel, message: Message) -> str:
        """Send a message and return the receiver's answer; raises SendError."""
        ...


def pause_after(attempts: int) -> float:
    """Seconds until the next attempt, after so many."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempts - 1, 30))


class Courier:
    """`count` is called with the outcome of each attempt: delivered, failed or given_up."""

    def __init__(
        self,
        outbox: Outbox,
        channels: Channels,
        senders: Mapping[Kind, Sender],
        clock: Clock,
        count: Callable[[str], None],
    ) -> None:
        self._outbox = outbox
        self._channels = channels
        self._senders = senders
        self._clock = clock
        self._count = count
        self._wake = asyncio.Event()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._paused: dict[str, float] = {}

    def wake(self) -> None:
        """There is something new to send."""
        self._wake.set()

    async def run(self) -> None:
        attempt = Attempts(self.deliver, "alerts could not be sent")
        try:
            while True:
                await attempt()
                try:
                    async with asyncio.timeout(LOOK_EVERY):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                self._wake.clear()
        finally:
            for task in self._busy.values():
                task.cancel()

    async def deliver(self) -> None:
        """Begin to send due messages, on all idle channels."""
        now, due = self._clock(), defaultdict[str, list[Delivery]](list)
        idle = [one for one in self._channels.ids() if one not in self._busy and self._paused.get(one, 0.0) <= now]
        if not idle:
            return
        for delivery in await self._outbox.due(now, idle):
            due[delivery.channel_id].append(delivery)
        for channel_id, waiting in due.items():
            task = asyncio.create_task(self._deliver_to(channel_id, waiting))
            self._busy[channel_id] = task
            task.add_done_callback(lambda _task, of=channel_id: self._busy.pop(of, None))  # type: ignore[misc]

    async def idle(self) -> None:
        """Return once nothing is being sent."""
        await asyncio.gather(*self._busy.values())

    async def _deliver_to(self, channel_id: str, waiting: Sequence[Delivery]) -> None:
        try:
            channel = self._channels.get(channel_id)
            for delivery in waiting:
                if not await self._try(channel, delivery):
                    return  # The channel's other messages would fail too.
            self.wake()  # The next messages of the same alerts.
        except NotFound:
            pass  # The channel was removed, and its messages are given up.
        except StoreError as error:
            logger.error("the result of a message could not be saved: %s", error)  # noqa: TRY400
        except Exception:
            logger.exception("a channel failed")

    async def _try(self, channel: Channel, delivery: Delivery) -> bool:
        """Try to send a message; returns whether the channel works."""
        try:
            detail = await self.send(channel, delivery.message)
        except SendError as error:
            return await self._failed(channel, delivery, error)
        self._paused.pop(channel.id, None)
        await self._finish(delivery, "delivered", detail)
        return True

    async def send(self, channel: Channel, message: Message) -> str:
        """Send a message once, now; raises SendError."""
        if not channel.enabled:
            raise SendError("the channel is disabled", final=True)
        try:
            async with asyncio.timeout(LONGEST_ATTEMPT):
                return await self._senders[channel.kind].send(channel, message)
        except TimeoutError:
            raise SendError(f"no answer within {LONGEST_ATTEMPT:g} s") from None
        except SendError:
            raise
        except Exception as error:
            logger.exception("a message could not be made or sent")
            raise SendError(f"{type(error).__name__}, see the log of the server") from error

    async def _failed(self, channel: Channel, delivery: Delivery, error: SendError) -> bool:
        now = self._clock()
        next_at = now + max(pause_after(delivery.attempts + 1), error.retry_after or 0.0)
        if error.final or next_at > delivery.message.created_at + GIVE_UP_AFTER:
            logger.warning("an alert could not be sent to the channel %r: %s", channel.name, error.detail)
            await self._finish(delivery, "given_up", error.detail)
            return error.final
        self._count("failed")
        self._paused[channel.id] = next_at
        await self._outbox.retry(delivery, error.detail, next_at)
        return False

    async def _finish(self, delivery: Delivery, outcome: Outcome, detail: str) -> None:
        self._count(outcome)
        await self._outbox.finish(delivery, outcome, detail, self._clock())
