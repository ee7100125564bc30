"""Background work that is repeated: an attempt that fails is logged, and the next one comes anyway."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, NoReturn

from roompulse.errors import StoreError

logger = logging.getLogger(__name__)

Work = Callable[[], Awaitable[object]]


async def every(seconds: float, work: Work, failure: str, *, at_once: bool = False) -> NoReturn:
    """Run `work`, with a pause of so many seconds after each run; the first one comes after a pause, or at once.

    `failure` says in the log what a failed run means, e.g. "old rows could not be deleted".
    """
    if at_once:
        await attempt(work, failure)
    while True:
        await asyncio.sleep(seconds)
        await attempt(work, failure)


async def attempt(work: Work, failure: str) -> None:
    """Run `work` once, for a loop with a schedule of its own; log `failure` and the exception if there is one."""
    try:
        await work()
    except StoreError as error:
        # A failing database fails at every run: a line each is enough, and the traceback would say nothing more.
        logger.error("%s, retrying later: %s", failure, error)  # noqa: TRY400
    except Exception:
        logger.exception("%s, retrying later", failure)


@asynccontextmanager
async def background(*jobs: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these jobs, which have no end of their own, until the context ends."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
