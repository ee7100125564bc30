"""`roompulse.asgi:app`, for any ASGI server that runs the lifespan: `uvicorn roompulse.asgi:app`, `hypercorn …`.

Settings are read from the environment when the server starts the application, so importing this does nothing, and a
wrong setting is one line in the server's log. HOST must say where the server listens: it decides whether keys are
required, and a request that arrives elsewhere is rejected.

Only `roompulse serve` has the bounds on connections: a deadline for the head of a request and a limit
on its size and on pipelined requests, the envelope for malformed HTTP, and the end of a connection whose client reads
nothing of an answer for SEND_TIMEOUT (a stream ends then everywhere). It also pushes to viewers past ASGI, at a
thirtieth of the CPU. One process is one application: several workers would not see each other's rooms.
"""

import logging
import os
from typing import Any

from roompulse.access.exposure_at_start import exposure_remarks
from roompulse.app import create_app
from roompulse.engines import access_of
from roompulse.errors import StartupError
from roompulse.logs import set_up_own_logs
from roompulse.settings import load_settings, unknown_names
from roompulse.web.application import Application


class EnvironmentApplication:
    """The application by the settings of the environment; each lifespan has its own."""

    _running: Application | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._run(scope, receive, send)
        elif self._running is None:
            raise RuntimeError("roompulse.asgi:app is not started: the ASGI server has to run its lifespan")
        else:
            await self._running(scope, receive, send)

    async def _run(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            self._running = await _started()
        except StartupError as error:
            fault = str(error)
        else:
            try:
                await self._running(scope, receive, send)
            finally:
                self._running = None
            return
        await receive()
        await send({"type": "lifespan.startup.failed", "message": fault})


async def _started() -> Application:
    settings = load_settings(os.environ, {})
    set_up_own_logs(settings.log_format)
    log = logging.getLogger("roompulse")
    for name in unknown_names(os.environ):
        log.warning("%s is set, but there is no such setting", name)
    for remark in await exposure_remarks(settings, access_of(settings)):
        log.warning(remark)
    return create_app(settings)


app = EnvironmentApplication()
