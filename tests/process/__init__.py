"""What tests that have to wait for another process or task share."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE = 60.0
"""Seconds after which what a test waits for will not come any more."""

SOAK = "ROOMPULSE_SOAK" in os.environ
"""Whether it may take as long as `make soak` does."""

_LOOK_EVERY = 0.02


def eventually(look: Callable[[], T]) -> T:
    """Look until there is something, and return it."""
    deadline = time.monotonic() + DEADLINE
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(_LOOK_EVERY)
    return found


async def soon(look: Callable[[], Awaitable[T]]) -> T:
    """`eventually`, beside other tasks of this process."""
    async with asyncio.timeout(DEADLINE):
        while not (found := await look()):
            await asyncio.sleep(_LOOK_EVERY)
    return found
