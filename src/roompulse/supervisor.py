"""Several workers on one port: each is a process, and all accept from one listening socket, which stays open here.

So a connection that waits while a worker stops, or is replaced, is accepted by another one.
"""

import asyncio
import ctypes
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

logger = logging.getLogger(__name__)

READY = b"ready\n"
"""The line that a worker writes once it answers requests."""

PAUSE = 1.0
"""Seconds until a worker is started in place of one that exited by itself."""

STOPS_WITHIN = 15.0
"""Seconds after which a worker that was asked to stop is killed."""


class Supervisor:
    """`command` starts a worker, which is given the socket `descriptor`; `announce` is called once all answer."""

    def __init__(self, command: Sequence[str], descriptor: int, count: int, announce: Callable[[], None]) -> None:
        self._command = command
        self._descriptor = descriptor
        self._announce = announce
        self._places = [_Place() for _ in range(count)]
        self._stopping = asyncio.Event()
        self._replacing = asyncio.Event()

    async def run(self) -> bool:
        """Until SIGTERM or SIGINT, which end all workers; SIGHUP replaces them, one after the other.

        False if the first one could not start; it has written why.
        """
        loop = asyncio.get_running_loop()
        for stop in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(stop, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._replacing.set)
        first, *others = self._places
        # Alone, so that a cause that fails every start is reported once.
        if not await self._start(first):
            return self._stopping.is_set()
        await asyncio.gather(*map(self._start, others))
        if not self._stopping.is_set():
            self._announce()
        replacing = asyncio.create_task(self._replace_all())
        await asyncio.gather(*map(self._keep, self._places))
        self._replacing.set()
        await replacing
        return True

    async def _start(self, place: "_Place") -> bool:
        """Start a worker at a place, beside the present one; returns whether it answers requests."""
        worker = await asyncio.create_subprocess_exec(
            *self._command,
            stdout=PIPE,
            pass_fds=[self._descriptor],
            process_group=0,  # Ctrl-C is for the supervisor
        )
        if not await self._until_stopped(_is_ready(worker)):
            await _end(worker)
            return False
        before, place.worker = place.worker, worker
        logger.info("worker %d accepts reports", worker.pid)
        if before:
            await _end(before)
        return True

    async def _keep(self, place: "_Place") -> None:
        """Keep a worker running at a place, until all are to stop."""
        while not self._stopping.is_set():
            worker = place.worker
            if worker and await self._until_stopped(worker.wait()) is not None and place.worker is worker:
                logger.error("worker %d ended with %d: another one is started", worker.pid, worker.returncode)
                place.worker = None
            if place.worker is None and not await self._start(place):
                await self._until_stopped(asyncio.sleep(PAUSE))
        if place.worker:
            await _end(place.worker)

    async def _until_stopped(self, work: Coroutine[Any, Any, T]) -> T | None:
        """The result of `work`; None if all workers are to stop first."""
        working, stopping = asyncio.create_task(work), asyncio.create_task(self._stopping.wait())
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if working.done():
            return working.result()
        working.cancel()
        return None

    async def _replace_all(self) -> None:
        while True:
            await self._replacing.wait()
            if self._stopping.is_set():
                return
            self._replacing.clear()
            logger.info("the workers are replaced, one after the other")
            for place in self._places:
                if not await self._start(place):
                    if not self._stopping.is_set():
                        logger.error("a new worker could not start: the others keep running")
                    break


def end_with_parent() -> None:
    """Make this process, a worker, exit when the supervisor is killed, where the operating system supports that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)


_SET_PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG."""


class _Place:
    worker: Process | None = None


async def _is_ready(worker: Process) -> bool:
    """Wait until a worker answers requests, or has exited."""
    return worker.stdout is not None and await worker.stdout.readline() == READY


async def _end(worker: Process) -> None:
    _signal(worker, signal.SIGTERM)
    try:
        async with asyncio.timeout(STOPS_WITHIN):
            await worker.wait()
    except TimeoutError:
        logger.warning("worker %d did not end within %g s and is killed", worker.pid, STOPS_WITHIN)
        _signal(worker, signal.SIGKILL)
        await worker.wait()


def _signal(worker: Process, number: signal.Signals) -> None:
    """Not by methods of the process, which may reap it themselves: asyncio then warns, and knows no exit code."""
    if worker.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(worker.pid, number)
