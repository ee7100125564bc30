"""The network between a worker and its database, for tests that cut it: a TCP proxy in a thread."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any, Self

from tests.process import DEADLINE

CHUNK = 65_536


class Link:
    """Passes bytes between connections to `port` and the port `to` of this machine, until a test changes that.

    `delay` is how long (seconds) each piece is held up, in each direction.
    """

    def __init__(self, to: int) -> None:
        self.delay = 0.0
        self._to = to
        self._loop = asyncio.new_event_loop()
        self._is_cut = False
        self._passes = asyncio.Event()
        self._passes.set()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """Reset all connections, and new ones immediately."""
        self._do(self._cut())

    def swallow(self) -> None:
        """Let nothing pass, and say nothing: as when a cable is pulled, or a firewall forgets a connection."""
        self._do(self._swallow())

    def mend(self) -> None:
        """Pass everything again; dropped bytes arrive late, as TCP repeats them."""
        self._do(self._mend())

    @contextmanager
    def running(self) -> Iterator[Self]:
        thread = Thread(target=self._loop.run_forever)
        thread.start()
        try:
            self._do(self._listen())
            yield self
            self._do(self._end())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(DEADLINE)
            self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        self._is_cut = True
        for writer in self._open:
            writer.transport.abort()

    async def _swallow(self) -> None:
        self._passes.clear()

    async def _mend(self) -> None:
        self._is_cut = False
        self._passes.set()

    async def _end(self) -> None:
        self._server.close()
        await self._cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # until the transports have closed their sockets

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._connect(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            if not self._is_cut:
                await self._passes.wait()
                other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self._to)
                self._open.add(other_writer)
                try:
                    await asyncio.gather(self._pass(reader, other_writer), self._pass(other_reader, writer))
                finally:
                    other_writer.transport.abort()
                    self._open.discard(other_writer)
        except OSError:
            pass  # the database is not there: neither is the connection
        finally:
            writer.transport.abort()
            self._open.discard(writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while content := await reader.read(CHUNK):
                await asyncio.sleep(self.delay)
                await self._passes.wait()
                writer.write(content)
                await writer.drain()
        writer.close()
