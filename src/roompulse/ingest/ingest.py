"""The spine: reports that wait together are committed together, then shown, then acknowledged.

So no unsaved report is ever shown or acknowledged, and the cost of a commit is shared.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import chain, islice, takewhile

from msgspec.structs import replace

from roompulse.clock import WallClock
from roompulse.errors import DatabaseLostError, Problem, StoreError, Unavailable
from roompulse.follower import Follower
from roompulse.hub.contract import Hub
from roompulse.ingest.large_reports import LargeReports, Reporter
from roompulse.ingest.parts import parts_of
from roompulse.ingest.waiting import Waiting
from roompulse.meters import Meters
from roompulse.periodic import every
from roompulse.report.model import Received, Report
from roompulse.rooms.contract import LiveRooms
from roompulse.store.availability import Availability
from roompulse.store.contract import Log

logger = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two checks for users who are stale or have left, and for commits that are overdue."""

MAX_BATCH = 500
"""Reports in one commit: with bulk reports of hundreds of streams each, one commit still takes well under a second."""

RETRY_AFTER = 2
"""Seconds after which a sender should retry when the store failed or the queue is full."""

NOT_SAVED = "the report could not be saved"
NOTHING_SAVED = "the database cannot be written now"


class Ingest:
    """`commit_timeout` is how long (seconds) a report may wait for its commit."""

    def __init__(
        self,
        log: Log,
        health: Availability,
        rooms: LiveRooms,
        follower: Follower,
        meters: Meters,
        clock: WallClock,
        *,
        max_queue: int,
        commit_timeout: float,
    ) -> None:
        self._log = log
        self._health = health
        self._rooms = rooms
        self._follower = follower
        self._clock = clock
        self._max_queue = max_queue
        self._commit_timeout = commit_timeout
        self._meters = meters
        self.intake = follower.intake
        self._queue: deque[Waiting] = deque()
        self._large = LargeReports[Waiting](self._release)
        self._wake = asyncio.Event()
        self._saving_since: float | None = None
        self.commit_ms: float | None = None
        """How long the newest commit of reports took."""
        self._closed = False
        clock.on_jump(self._clock_was_set)

    async def submit_large(
        self, decode: Callable[[], Report], reporter: Reporter, sender: str, *, by_token: bool
    ) -> None:
        """Commit a report that takes long, and return once it is shown; other reports go on meanwhile.

        It is decoded when it is its turn, and each of its parts has a commit of its own; its reporter's later reports
        stay behind it. A limit rejects all of it, but if it fails later, its first parts stay saved.
        Raises the errors of `decode`, of `begin` and of its future.
        """
        self._check()
        try:
            async with self._large.turn(reporter, sender, self._commit_timeout) as committed:
                report = decode()
                await asyncio.sleep(0)
                async with asyncio.timeout(self._commit_timeout):
                    await self._commit_parts(report, sender, by_token=by_token)
                committed()
                await self._follower.worked_ahead(report.room_id)
        except TimeoutError:
            raise self._too_late() from None
        finally:
            self._wake.set()

    async def _commit_parts(self, report: Report, sender: str, *, by_token: bool) -> None:
        parts = list(parts_of(report))
        for number, part in enumerate(parts, start=1):
            received = Received(part, self._clock(), sender, by_token, continues=number > 1)
            waiting = Waiting.of(self._log.prepared(received), report, is_complete=number == len(parts))
            self._put(waiting)
            await waiting.answered

    def _release(self, waiting: Waiting) -> None:
        """Queue a report that was held behind a large one; its time is not before that of the large one."""
        waiting.received = replace(waiting.received, at=self._clock())
        self._put(waiting)

    def begin(self, report: Report, sender: str = "", *, by_token: bool = False) -> asyncio.Future[None]:
        """Queue the report to be committed and shown, and return a future that is done then.

        `sender` and `by_token` are as in `Received`.

        Raises, or fails the future with:
            Unavailable: too many reports wait, a limit of the server is reached, or the store failed. After a commit
                that was too slow, the report may still be saved.
            TooManyRequests: a limit of the room, the user or the sender is reached.

        """
        self._check()
        waiting = Waiting.of(Received(report, self._clock(), sender, by_token))
        if not (self._large.count and self._large.hold(Reporter(report.room_id, report.user_id), waiting)):
            self._put(waiting)
        return waiting.answered

    def _put(self, waiting: Waiting) -> None:
        self._queue.append(waiting)
        self._wake.set()

    def _check(self) -> None:
        """Raise Unavailable when no report is taken."""
        if self._closed:
            raise Unavailable("the server is shutting down", retry_after=RETRY_AFTER, reason="shutting_down")
        if self._health.failing_since is not None:
            raise _not_saved(NOTHING_SAVED)
        if self.waiting >= self._max_queue:
            raise Unavailable("too many reports wait to be saved", retry_after=RETRY_AFTER, reason="queue_full")

    async def run(self) -> None:
        """Commit batches until closed and empty."""
        while self.waiting or not self._closed:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                batch = self._batch()
                try:
                    await self._take([waiting for waiting in batch if not waiting.refused])
                except Exception:
                    # An internal error must neither leave these senders waiting nor end the ingest.
                    logger.exception("a batch of %d reports failed", len(batch))
                    self._refuse(batch, NOT_SAVED)
                self._saving_since = None
                for _ in batch:
                    self._queue.popleft()

    def _batch(self) -> Sequence[Waiting]:
        """The reports of the next commit: some, or a part of a large one."""
        if self._queue[0].received.rows is not None:
            return [self._queue[0]]
        return list(takewhile(lambda waiting: waiting.received.rows is None, islice(self._queue, MAX_BATCH)))

    @property
    def waiting(self) -> int:
        """Reports that are not committed yet."""
        if not self._large.count:  # as nearly always; then none is held either
            return len(self._queue)
        return len(self._queue) + self._large.count + sum(1 for _ in self._large.held())

    def close(self) -> None:
        """Reject further reports; those in the queue are still committed."""
        self._closed = True
        self._wake.set()

    def _clock_was_set(self, jump: float, _now: float) -> None:
        """Keep the ages of reports: setting the clock makes no commit overdue."""
        for waiting in chain(self._queue, self._large.held()):
            waiting.received = replace(waiting.received, at=waiting.received.at + jump, rows=None)
        if self._saving_since is not None:
            self._saving_since += jump

    def give_up(self) -> None:
        """Reject the reports whose commit is overdue. Reports of the current commit may still be saved."""
        too_old = self._clock() - self._commit_timeout
        if self._saving_since is not None and self._saving_since <= too_old:
            self._health.failed(f"a commit takes more than {self._commit_timeout:g} s")
        for waiting in chain(takewhile(lambda one: one.received.at <= too_old, self._queue), self._large.held()):
            if waiting.received.at <= too_old:
                waiting.refuse(self._too_late())

    def _too_late(self) -> Unavailable:
        return _not_saved(f"not saved within {self._commit_timeout:g} s")

    async def _take(self, batch: Sequence[Waiting]) -> None:
        admitted = []
        for waiting, problem in zip(batch, await self._problems(batch), strict=True):
            if problem is None:
                admitted.append(waiting)
            else:
                waiting.refuse(problem)
        if self._health.failing_since is not None:
            self._refuse(admitted, NOTHING_SAVED)
        elif admitted:
            self._saving_since = self._clock()
            if not await self._save(admitted):
                await self._save_one_by_one(admitted)

    async def _problems(self, batch: Sequence[Waiting]) -> Sequence[Problem | None]:
        """Why each report does not fit, or None. Later parts were admitted with the first one."""
        reports = [
            replace(one.received, report=one.part_of) if one.part_of else one.received
            for one in batch
            if not one.received.continues
        ]
        if is_present := any(self._is_new(received.report) for received in reports):
            await self._follower.present()  # Another worker may have added its users already.
        problems = self._rooms.admit(reports)
        if any(problems) and not is_present:
            await self._follower.present()  # Users that left meanwhile have made room.
            problems = self._rooms.admit(reports)
        found = iter(problems)
        return [None if one.received.continues else next(found) for one in batch]

    async def _save(self, batch: Sequence[Waiting]) -> bool:
        """Commit these reports, show and answer them; returns whether they could be committed."""
        self._meters.batch.observe(len(batch))
        try:
            with self._meters.commit.time():
                committed = await self._log.append([waiting.received for waiting in batch])
        except DatabaseLostError as error:
            self._health.failed(error)
            return False
        except Exception as error:
            log = logger.error if isinstance(error, StoreError) else logger.exception
            log("%d reports could not be saved: %s", len(batch), error)
            return False
        if self._saving_since is not None:
            self.commit_ms = 1000 * (self._clock() - self._saving_since)
        self._health.wrote()
        self._follower.apply(committed)
        self.intake.saved([one.received.report for one in batch], complete=sum(one.is_complete for one in batch))
        # After the next commit has begun, if reports wait for it: so the disk works while answers are written.
        asyncio.get_running_loop().call_soon(_acknowledge, batch)
        return True

    def _is_new(self, report: Report) -> bool:
        """Whether a report is by or about a user who is not known here."""
        room = self._rooms.get(report.room_id)
        users = room.users if room else {}
        return report.user_id not in users or any(entry.user_id not in users for entry in report.metrics)

    async def _save_one_by_one(self, batch: Sequence[Waiting]) -> None:
        """Commit report by report, while that is possible, so that one bad report does not fail the others."""
        rest = deque(batch)
        while rest and await self._health.probe():
            while rest and (rest[0].refused or await self._save([rest[0]])):
                rest.popleft()
            if rest:
                self._refuse([rest.popleft()], NOT_SAVED)
        self._refuse(rest, NOTHING_SAVED)

    @staticmethod
    def _refuse(batch: Iterable[Waiting], message: str) -> None:
        for waiting in batch:
            waiting.refuse(_not_saved(message))


def _acknowledge(committed: Iterable[Waiting]) -> None:
    for waiting in committed:
        waiting.acknowledge()


def _not_saved(message: str) -> Unavailable:
    return Unavailable(message, retry_after=RETRY_AFTER, reason="not_saved")


@asynccontextmanager
async def taking(ingest: Ingest, hub: Hub) -> AsyncIterator[None]:
    """Accept reports; at the end, streams end first and waiting reports are still saved."""
    taking = asyncio.create_task(ingest.run())
    try:
        yield
    finally:
        hub.close()
        ingest.close()
        await taking


async def look_after(ingest: Ingest, follower: Follower) -> None:
    async def look() -> None:
        ingest.give_up()
        await follower.present()

    await every(LOOK_EVERY, look, "stale users and overdue commits could not be checked")
