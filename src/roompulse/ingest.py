"""The spine: reports that wait together are committed together, then shown, then acknowledged.

So nothing unsaved is ever shown or acknowledged, and the cost of a commit is shared.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from itertools import islice

from msgspec import Struct

from roompulse.clock import Clock
from roompulse.errors import Unavailable
from roompulse.hub.contract import Hub
from roompulse.intake.intake import Intake
from roompulse.meters import Meters
from roompulse.quality import FRAME_RATE_WINDOW
from roompulse.report.model import Received, Report
from roompulse.rooms.contract import LiveRooms
from roompulse.store.contract import Store

logger = logging.getLogger(__name__)

MAX_BATCH = 500
"""Reports in one commit: with bulk reports of hundreds of streams each, one commit still takes well under a second."""

RETRY_AFTER = 2
"""Seconds after which a sender is asked to try again when the store failed or the queue is full."""


class _Waiting(Struct, eq=False):
    received: Received
    answer: asyncio.Future[None]


class Ingest:
    def __init__(self, store: Store, rooms: LiveRooms, hub: Hub, clock: Clock, max_queue: int, meters: Meters) -> None:
        self._store = store
        self._rooms = rooms
        self._hub = hub
        self._clock = clock
        self._max_queue = max_queue
        self._meters = meters
        self.intake = Intake(meters, clock)
        self._shown = self.intake.version(clock())
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._closed = False

    async def rebuild(self, leave_after: float) -> None:
        """Fill the live rooms from the reports of before a restart, as far back as anything of them still shows."""
        now = self._clock()
        async for received in self._store.recent(now - leave_after - FRAME_RATE_WINDOW):
            # As it went the first time, so that a clock set back since then brings nobody back who had left.
            self._rooms.expire(received.at)
            self._rooms.apply(received)
            self.intake.newest = received.at
        self._rooms.expire(now)

    async def submit(self, report: Report) -> None:
        """Return once the report is committed and shown.

        Raises:
            Unavailable: too many reports wait, a limit of the server is reached, or the store failed.
            TooManyRequests: a limit of the room or the user is reached.

        """
        if self._closed:
            raise Unavailable("the server is shutting down", retry_after=RETRY_AFTER, reason="shutting_down")
        if len(self._queue) >= self._max_queue:
            raise Unavailable("too many reports wait to be saved", retry_after=RETRY_AFTER, reason="queue_full")
        waiting = _Waiting(Received(report, self._clock()), asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._wake.set()
        await waiting.answer

    async def run(self) -> None:
        """Take batches until closed and empty."""
        while self._queue or not self._closed:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                batch = list(islice(self._queue, MAX_BATCH))
                try:
                    await self._take(batch)
                except Exception:
                    # A mistake of ours must neither leave these senders waiting nor end the ingest.
                    logger.exception("a batch of %d reports failed", len(batch))
                    self._refuse(batch)
                for _ in batch:
                    self._queue.popleft()

    @property
    def waiting(self) -> int:
        """Reports that are not committed yet."""
        return len(self._queue)

    def close(self) -> None:
        """Refuse further reports; those that wait are still taken."""
        self._closed = True
        self._wake.set()

    def expire(self) -> None:
        """Bring the live rooms and what is known of the intake to the present time, and publish what that changed."""
        now = self._clock()
        self._hub.publish(self._rooms.expire(now))
        version = self.intake.version(now)
        if version != self._shown:
            self._shown = version
            self._hub.refresh()

    async def _take(self, batch: Sequence[_Waiting]) -> None:
        self.expire()
        problems = self._rooms.admit([waiting.received for waiting in batch])
        admitted = []
        for waiting, problem in zip(batch, problems, strict=True):
            if problem is None:
                admitted.append(waiting)
            elif not waiting.answer.done():
                waiting.answer.set_exception(problem)
        if not admitted:
            return
        try:
            await self._save(admitted)
        except Exception:
            logger.exception("a batch of %d reports could not be saved, trying them one by one", len(admitted))
            await self._take_one_by_one(admitted)
        else:
            self._show_and_answer(admitted)

    async def _take_one_by_one(self, batch: Sequence[_Waiting]) -> None:
        """Keep a report that the store cannot take from failing the others."""
        for waiting in batch:
            try:
                await self._save([waiting])
            except Exception:
                logger.exception("a report could not be saved")
                self._refuse([waiting])
            else:
                self._show_and_answer([waiting])

    async def _save(self, batch: Sequence[_Waiting]) -> None:
        self._meters.batch.observe(len(batch))
        with self._meters.commit.time():
            await self._store.append([waiting.received for waiting in batch])

    @staticmethod
    def _refuse(batch: Sequence[_Waiting]) -> None:
        for waiting in batch:
            if not waiting.answer.done():
                refusal = Unavailable("the report could not be saved", retry_after=RETRY_AFTER, reason="not_saved")
                waiting.answer.set_exception(refusal)

    def _show_and_answer(self, committed: Sequence[_Waiting]) -> None:
        for waiting in committed:
            self._rooms.apply(waiting.received)
        self.intake.took([waiting.received for waiting in committed])
        self._hub.publish({waiting.received.report.room_id for waiting in committed})
        for waiting in committed:
            if not waiting.answer.done():
                waiting.answer.set_result(None)
