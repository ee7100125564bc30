"""Repeated background work: a failed attempt is logged, and the next one follows anyway."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn

from roompulse.errors import StoreError, Unavailable

logger = logging.getLogger(__name__)

Work = Callable[[], Awaitable[object]]

Jobs = Callable[[], Awaitable[Sequence[Coroutine[Any, Any, None]]]]
"""Returns endless jobs."""


async def every(seconds: float, work: Work, failure: str, *, at_once: bool = False) -> NoReturn:
    """Run `work`, with a pause of so many seconds after each run; the first run is after a pause, or immediate.

    `failure` says in the log what a failed run means, e.g. "old rows could not be deleted".
    """
    attempt = Attempts(work, failure)
    if at_once:
        await attempt()
    while True:
        await asyncio.sleep(seconds)
        await attempt()


class Attempts:
    """Runs `work` when it is called, for a loop with its own schedule, and logs `failure` and the exception."""

    def __init__(self, work: Callable[..., Awaitable[object]], failure: str) -> None:
        self._work = work
        self._failure = failure
        self._logged = ""

    async def __call__(self, *arguments: object) -> None:
        try:
            await self._work(*arguments)
        except (StoreError, Unavailable) as error:
            # A failing database fails at every run: it is logged once, until it recovers or fails otherwise.
            if str(error) != self._logged:
                logger.error("%s, retrying later: %s", self._failure, error)  # noqa: TRY400
            self._logged = str(error)
        except Exception:
            logger.exception("%s, retrying later", self._failure)
        else:
            self._logged = ""
        if (task := asyncio.current_task()) and task.cancelling():
            raise asyncio.CancelledError  # An error on the way out, as of a closed connection, has taken its place.


@asynccontextmanager
async def background(*jobs: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these endless jobs until the context ends."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
