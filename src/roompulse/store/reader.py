"""Reads that may be long: one thread does all of them, in short steps that take turns.

So ingest waits for a read no longer than for the interpreter's lock, a short read waits for a long one no longer than a
step, and no transaction outlives a step, however slowly a client reads.
"""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from roompulse.errors import StoreError, Unavailable
from roompulse.store.contract import Steps
from roompulse.store.sqlite import store_errors

SWITCH_INTERVAL = 0.0002
"""Seconds after which a thread gets the interpreter's lock from one that computes. A commit needs it about ten times,
and would wait for 5 ms each time by Python's default."""

_RETRY_AFTER = 5

T = TypeVar("T")


SLICE = 0.005
"""Seconds of steps of a result between two turns of other reads; the last step may exceed this."""

REST, PAUSE = 3, 0.001
"""How many times the duration of a step reports may delay the next one, and seconds between two checks for them."""

RUNNING = 2
"""Results of several steps that run at a time; others wait. A past room takes megabytes until it is shown."""


class Reader:
    """At most `most` reads of more than one step are under way; shorter ones are never refused.

    `read_failed` is called with each error of the database. Once `is_closing`, longer reads end with the current step
    and raise Unavailable: a stopping server does not wait for them. Steps wait while `is_busy`: reports go first.
    """

    def __init__(
        self,
        most: int,
        read_failed: Callable[[StoreError], None],
        is_closing: Callable[[], bool] = lambda: False,
        is_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._is_closing = is_closing
        self._is_busy = is_busy
        self._turn = asyncio.Lock()
        self._rested_at = 0.0
        self._most = most
        self._read_failed = read_failed
        self._under_way = 0
        self._running = asyncio.Semaphore(RUNNING)
        self._shared: dict[Hashable, asyncio.Task[Any]] = {}
        self._thread = ThreadPoolExecutor(1, "roompulse-reader")

    @contextmanager
    def running(self) -> Iterator[None]:
        """To be used within this context, which at its end waits for the current step."""
        before = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_INTERVAL)
        try:
            yield
        finally:
            self._thread.shutdown(cancel_futures=True)
            sys.setswitchinterval(before)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for one long read until the context ends; raises Unavailable if all are in use."""
        if self._under_way >= self._most:
            raise Unavailable(f"{self._most} long reads are under way already", retry_after=_RETRY_AFTER)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def result(self, steps: Steps[T]) -> T:
        """The result of the steps; raises their errors, and Unavailable if there are several and no place."""
        result = await self.run(partial(_next, steps, 0.0))
        if isinstance(result, _More):
            with self.place():
                async with self._running:
                    while isinstance(result, _More):
                        self._check_open()
                        result = await self.run(partial(_next, steps, SLICE))
        return result

    async def shared_result(self, key: Hashable, steps: Callable[[], Steps[T]]) -> T:
        """`result` of these steps, shared by all callers that request `key` while they run."""
        task = self._shared.get(key)
        if task is None:
            task = self._shared[key] = asyncio.create_task(self.result(steps()))
            task.add_done_callback(partial(self._end_sharing, key))
        # A caller that is cancelled does not cancel it for others.
        found: T = await asyncio.shield(task)
        return found

    def _end_sharing(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        del self._shared[key]
        if not task.cancelled():
            task.exception()  # else asyncio logs one whose callers were all cancelled

    async def portions(self, portions: Iterator[T]) -> AsyncGenerator[T, None]:
        """The portions, each made once the previous one is consumed. The caller holds a `place` if they may be many."""
        while (portion := await self.run(partial(next, portions, None))) is not None:
            yield portion
            self._check_open()

    def _check_open(self) -> None:
        if self._is_closing():
            raise Unavailable("the server is shutting down", retry_after=_RETRY_AFTER)

    async def run(self, step: Callable[[], T]) -> T:
        """The result of one step, in its turn; raises the step's errors."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            while self._is_busy() and loop.time() < self._rested_at:
                await asyncio.sleep(PAUSE)
            began = loop.time()
            try:
                return await loop.run_in_executor(self._thread, _checked, step)
            except StoreError as error:
                self._read_failed(error)
                raise
            finally:
                self._rested_at = (1 + REST) * loop.time() - REST * began


def _checked(step: Callable[[], T]) -> T:
    with store_errors():
        return step()


class _More:
    """Stands for the result of steps that are not done."""


_MORE = _More()


def _next(steps: Steps[T], seconds: float) -> T | _More:
    """Do one step, and further ones for so many seconds."""
    until = time.monotonic() + seconds
    try:
        next(steps)
        while time.monotonic() < until:
            next(steps)
    except StopIteration as done:
        result: T = done.value
        return result
    return _MORE
