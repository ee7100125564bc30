"""Sends the reports of simulated rooms to a server, each at its time."""

import asyncio
import signal
import time
from collections.abc import Callable

from msgspec import Struct

from roompulse.client import AsyncReporter, Lost, Report
from roompulse.simulate.rooms import Plan, reports

GIVE_UP_AFTER = 5.0
"""Seconds after which the simulation ends if no report was delivered and the problem is known."""


class Tally(Struct):
    """Counts of a simulation; `problem` is the present obstacle, `last_loss` why the last lost report was lost."""

    rooms: set[str] = set()
    users: set[tuple[str, str]] = set()
    sent: int = 0
    delivered: int = 0
    lost: int = 0
    waiting: int = 0
    problem: str | None = None
    last_loss: str | None = None

    def count(self, report: Report) -> None:
        self.sent += 1
        self.rooms.add(report.room_id)
        self.users.add((report.room_id, report.user_id))

    def note(self, lost: Lost) -> None:
        self.last_loss = f"{lost.status}: {lost.message}" if lost.status else lost.message

    def update(self, reporter: AsyncReporter) -> None:
        self.delivered, self.lost, self.waiting = reporter.delivered, reporter.lost, reporter.waiting
        self.problem = reporter.problem


async def simulate(
    reporter: AsyncReporter, plan: Plan, duration: float, tally: Tally, show: Callable[[Tally], None]
) -> None:
    """Simulate for `duration` seconds (0: without end), or until SIGINT or SIGTERM; `show` is called every second.

    The `on_error` of `reporter` must be `tally.note`. At the end it is closed, and `tally` is complete.
    """
    async with reporter:
        ends = {
            asyncio.create_task(_stopped()),
            asyncio.create_task(_send(reporter, plan, duration, tally)),
            asyncio.create_task(_watch(reporter, tally, show)),
        }
        ended, others = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
        for task in ended:
            task.result()
        if not reporter.delivered:
            await reporter.close(within=1)
    tally.update(reporter)


async def _stopped() -> None:
    """Return after SIGINT or SIGTERM. The second one ends the process immediately."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def end(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    await stop.wait()


async def _send(reporter: AsyncReporter, plan: Plan, duration: float, tally: Tally) -> None:
    begin = time.time()
    for due, report in reports(plan, begin):
        if duration and due >= duration:
            return
        wait = begin + due - time.time()
        await asyncio.sleep(max(0.0, wait))
        # After the machine slept, there is nothing to report about the time of its sleep.
        if wait > -plan.interval:
            reporter.send(report)
            tally.count(report)


async def _watch(reporter: AsyncReporter, tally: Tally, show: Callable[[Tally], None]) -> None:
    """Show progress, and return if no report can be delivered."""
    deadline = time.monotonic() + GIVE_UP_AFTER
    while reporter.delivered or not reporter.problem or time.monotonic() < deadline:
        await asyncio.sleep(1)
        tally.update(reporter)
        show(tally)
