"""Turns of large reports: they are decoded, committed and shown one at a time, while other reports go on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Generic, NamedTuple, TypeVar

Held = TypeVar("Held")


class Reporter(NamedTuple):
    room_id: str
    user_id: str


class _Queue:
    """The large reports of one sender, of which the first one waits for its turn."""

    def __init__(self) -> None:
        self.first = asyncio.Lock()
        self.length = 0


class LargeReports(Generic[Held]):
    """However many large reports of one sender wait, those of another wait for one of them.

    No report overtakes an earlier one of its reporter: while a large one waits, later ones are held, and passed to
    `release` in their order.
    """

    def __init__(self, release: Callable[[Held], object]) -> None:
        self.count = 0
        """Large reports that wait or have their turn."""
        self._release = release
        self._turn = asyncio.Lock()
        self._queues: dict[str, _Queue] = {}
        self._behind: dict[Reporter, list[list[Held]]] = {}

    def hold(self, reporter: Reporter, report: Held) -> bool:
        """Hold a report where a large one of its reporter waits; returns whether it is held."""
        if behind := self._behind.get(reporter):
            behind[-1].append(report)
        return bool(behind)

    def held(self) -> Iterator[Held]:
        return (report for behind in self._behind.values() for one in behind for report in one)

    @asynccontextmanager
    async def turn(self, reporter: Reporter, sender: str, within: float) -> AsyncIterator[Callable[[], None]]:
        """Wait for a turn, which lasts as long as the context; raises TimeoutError after `within` seconds.

        What the context gets is to be called when the report is committed: what is held behind it is released then.
        """
        behind: list[Held] = []
        self._behind.setdefault(reporter, []).append(behind)
        queue = self._queues.setdefault(sender, _Queue())
        queue.length += 1
        self.count += 1
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(within):
                    await stack.enter_async_context(queue.first)
                    await stack.enter_async_context(self._turn)
                yield lambda: self._release_behind(reporter, behind)
        finally:
            self._release_behind(reporter, behind)
            self.count -= 1
            queue.length -= 1
            if not queue.length:
                del self._queues[sender]

    def _release_behind(self, reporter: Reporter, behind: list[Held]) -> None:
        if others := [one for one in self._behind.pop(reporter, ()) if one is not behind]:
            self._behind[reporter] = others
        for report in behind:
            self._release(report)
        behind.clear()
