"""Answers that are generated while they are sent."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager, aclosing
from typing import Any

import anyio

from roompulse.errors import StoreError, Unavailable
from roompulse.web.http.headers import raw_headers

logger = logging.getLogger(__name__)

PORTION_TIMEOUT = 60.0
"""Seconds for which a client may read one portion, of some hundred kilobytes: others wait for its place."""


class PortionsAnswer:
    """An ASGI response whose body comes in portions; `place` is held meanwhile.

    It ends early, which the client sees by the missing last chunk, when the database fails, the client is too slow or
    the server stops.
    """

    def __init__(
        self, place: AbstractContextManager[None], portions: AsyncGenerator[bytes, None], headers: Mapping[str, str]
    ) -> None:
        self._place = place
        self._portions = portions
        self._headers = headers

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Raises, before anything is sent, the errors of the first portion, and Unavailable if no place is free."""
        start = {"type": "http.response.start", "status": 200, "headers": raw_headers(self._headers)}
        if scope["method"] == "HEAD":
            await send(start)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        with self._place:
            async with aclosing(self._portions) as portions:
                first = await anext(portions)
                await send(start)
                await self._send(first, portions, receive, send)

    async def _send(self, first: bytes, portions: AsyncGenerator[bytes, None], receive: Any, send: Any) -> None:
        async def leave_with_client() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(leave_with_client)
            try:
                await _send_portion(send, first)
                async for portion in portions:
                    await _send_portion(send, portion)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            except (StoreError, TimeoutError, Unavailable) as error:
                logger.error("an answer was not sent to its end: %s", str(error) or "the client reads too slowly")  # noqa: TRY400
            group.cancel_scope.cancel()


async def _send_portion(send: Any, portion: bytes) -> None:
    if portion:
        async with asyncio.timeout(PORTION_TIMEOUT):
            await send({"type": "http.response.body", "body": portion, "more_body": True})
