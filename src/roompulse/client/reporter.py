"""Reporters: an outbox, and the task or thread that runs it."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from contextlib import suppress
from threading import Thread
from typing import Any, Self, TypeVar

import httpx

from roompulse.client.model import Report
from roompulse.client.outbox import CONNECTIONS, Lost, Outbox

T = TypeVar("T")

FLUSH_WITHIN = 5.0
"""Seconds for which closing waits at most, by default."""

POST_TIMEOUT = 10.0
"""Seconds within which the server must answer."""


class _Background:
    """Shared by both reporters; it runs in an event loop."""

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        on_error: Callable[[Lost], None] | None = None,
        max_waiting: int = 10_000,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Accept reports from now on.

        Args:
            url: the address of the server, such as "http://127.0.0.1:8180".
            key: an ingest key, or a room token for one user in one room, if the server needs one.
            on_error: called with each lost report, in the background or by `send`. Without it a line is logged, at
                most every 10 s.
            max_waiting: reports that may wait; beyond it the oldest are lost.
            transport: an httpx transport, for tests and special needs.

        Raises:
            ValueError: the URL is not of http or https, or the key has invalid characters.

        """
        self._http = httpx.AsyncClient(
            base_url=checked(url),
            headers={"Content-Type": "application/json"} | authorization(key),
            timeout=POST_TIMEOUT,
            limits=httpx.Limits(max_connections=CONNECTIONS),
            transport=transport,
        )
        self._outbox = Outbox(self._http, max_waiting=max_waiting, on_error=on_error)
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._begin()

    def _begin(self) -> None:
        """What a reporter does on creation, without a running event loop."""

    @property
    def delivered(self) -> int:
        """Reports that the server has acknowledged: they are saved."""
        return self._outbox.delivered

    @property
    def lost(self) -> int:
        """Reports that will not be delivered; `on_error` was called with each."""
        return self._outbox.lost

    @property
    def waiting(self) -> int:
        """Reports that are yet to be delivered."""
        return self._outbox.waiting

    @property
    def problem(self) -> str | None:
        """Why the last attempt failed; None after a success."""
        return self._outbox.problem

    def send(self, report: Report) -> None:
        """Queue a report and return immediately. May be called from any thread; `on_error` is called if it is lost."""
        self._outbox.put(report)
        if self._loop and not self._wake.is_set():
            # The loop may be closed by now; then `on_error` was called with this report.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._wake.set)

    async def _start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run(), name="roompulse-client")

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            pause = await self._outbox.round()
            self._settled.set()
            if pause != 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()

    async def _flush(self, within: float) -> bool:
        self._outbox.hurry()
        self._wake.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self._outbox.waiting:
                    self._settled.clear()
                    await self._settled.wait()
        return not self._outbox.waiting

    async def _close(self, within: float) -> None:
        if self._task:
            await self._flush(within)
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._outbox.close()
        await self._http.aclose()


class AsyncReporter(_Background):
    """Sends reports from a task of the running event loop: `async with AsyncReporter(url) as reporter`."""

    async def flush(self, within: float = FLUSH_WITHIN) -> bool:
        """Wait until no report waits, at most `within` seconds; whether that was reached."""
        return await self._flush(within)

    async def close(self, within: float = FLUSH_WITHIN) -> None:
        """Flush and end. Reports that are not delivered within `within` seconds are lost."""
        await self._close(within)

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Reporter(_Background):
    """Sends reports from its own thread: `with Reporter(url) as reporter`, or `close` it at the end.

    A process that forks creates its reporter after the fork. Reports that wait when a program ends without `close` are
    lost without notice.
    """

    def _begin(self) -> None:
        self._thread_loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._thread_loop.run_forever, name="roompulse-client", daemon=True)
        self._thread.start()
        self._in_thread(self._start())

    def flush(self, within: float = FLUSH_WITHIN) -> bool:
        """Wait until no report waits, at most `within` seconds; whether that was reached."""
        return self._thread_loop.is_closed() or self._in_thread(self._flush(within))

    def close(self, within: float = FLUSH_WITHIN) -> None:
        """Flush and end. Reports that are not delivered within `within` seconds are lost."""
        if self._thread_loop.is_closed():
            return
        self._in_thread(self._close(within))
        self._thread_loop.call_soon_threadsafe(self._thread_loop.stop)
        self._thread.join()
        self._thread_loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _in_thread(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._thread_loop).result()


def checked(url: str) -> httpx.URL:
    try:
        checked = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"{url!r} is not a URL: {error}") from None
    if checked.scheme not in ("http", "https") or not checked.host:
        raise ValueError(f"{url!r} is not the URL of a server, such as http://127.0.0.1:8180")
    return checked


def authorization(key: str | None) -> dict[str, str]:
    if key is None:
        return {}
    # httpx would quote a key that is no valid header in its error, which would be shown.
    if not re.fullmatch(r"[\w.-]+", key, re.ASCII):
        raise ValueError("the key has invalid characters")
    return {"Authorization": f"Bearer {key}"}
