"""Runs the application under uvicorn, tuned, for `roompulse serve`."""

import asyncio
import gc
import signal
import socket
from collections.abc import Callable
from typing import Any, cast

import uvicorn

from roompulse.settings import Settings
from roompulse.web.application import Application
from roompulse.web.server.connection_limit import ConnectionLimit, max_connections
from roompulse.web.server.fast_path import protocol_class
from roompulse.web.server.protocol import KEEP_ALIVE, BoundedProtocol

GRACE = 4
"""Seconds that a stopping server waits for open requests."""

DRAIN = 1.0
"""Seconds for which a worker answers on open connections once it accepts none, with `Connection: close`."""

CYCLE_COLLECTOR = 10_000, 1, 50
"""Thresholds of Python's cycle collector, which has little to do: live rooms have no cycles.

It runs at 10,000 new objects. Each third run goes also through those that the two before it have left, some
milliseconds in all. One through all objects, 0.1 s for 200,000, comes after 50 of those, and only if a quarter is new.
"""


def run(
    app: Application,
    settings: Settings,
    listener: socket.socket,
    announce: Callable[[str, int], None],
    *,
    drains: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT; `announce` is called with address and port once requests are answered.

    `drains` is for a worker beside others, which accept from the same listener: it refuses no connection when it stops.

    Raises StartupError for a database that cannot be used.
    """
    limit = ConnectionLimit(settings, app.meters, max_connections())
    config = uvicorn.Config(
        cast("Any", app),  # the same protocol, typed twice
        lifespan="off",  # run by _serve, so that a StartupError arrives there
        http=protocol_class(settings, limit, app.take, app.meters.readers_dropped.inc),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
    )
    # uvicorn raises the signal that stopped it again at its end, which must be a normal exit.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: None)
    gc.set_threshold(*CYCLE_COLLECTOR)
    gc.disable()  # until the rooms are rebuilt: these objects stay, and collecting meanwhile doubles the time
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_serve(app, _Server(config, app, announce, drains=drains), listener))


async def _serve(app: Application, server: uvicorn.Server, listener: socket.socket) -> None:
    async with app.lifespan():
        await server.serve(sockets=[listener])


class _Server(uvicorn.Server):
    """Announces its address, and ends the streams as soon as it stops."""

    def __init__(
        self, config: uvicorn.Config, app: Application, announce: Callable[[str, int], None], *, drains: bool
    ) -> None:
        super().__init__(config)
        self._drains = drains
        self._app = app
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        gc.freeze()
        gc.enable()
        await super().startup(sockets)
        for listener in sockets or ():
            self._announce(*listener.getsockname()[:2])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.hub.close()
        if self._drains:
            await self._drain()
        await super().shutdown(sockets)

    async def _drain(self) -> None:
        for server in self.servers:
            server.close()
        for connection in self.server_state.connections:
            cast("BoundedProtocol", connection).drains = True
        await asyncio.sleep(DRAIN)
