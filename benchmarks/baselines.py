"""Baselines that run under the same uvicorn as roompulse: `python -m benchmarks.baselines litestar|stream PORT`.

`litestar` decodes reports by the same struct and stores nothing; `stream` is the smallest fan-out that ASGI allows.
"""

import asyncio
import sys
from typing import Any

import msgspec
import uvicorn
from litestar import Litestar, Response, asgi, get, post
from litestar.types import ASGIApp, Receive, Scope, Send

from roompulse.report.model import Report
from roompulse.web.http.envelope import ACKNOWLEDGED

_decoder = msgspec.json.Decoder(Report)


@post("/stock", status_code=200)
async def stock(data: Report) -> dict[str, Any]:
    return {"code": 0, "message": "success", "data": None}


@asgi("/asgi", copy_scope=False)
async def raw(scope: Scope, receive: Receive, send: Send) -> None:
    message: Any = await receive()
    pieces = [message["body"]]
    while message["more_body"]:
        message = await receive()
        pieces.append(message["body"])
    _decoder.decode(b"".join(pieces))
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(ACKNOWLEDGED)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ACKNOWLEDGED, "more_body": False})


@get("/bytes/{size:int}")
async def prepared(size: int) -> Response[bytes]:
    """An empty handler, with an answer of this size."""
    return Response(bytes(size), media_type="application/json")


def litestar() -> ASGIApp:
    return Litestar([stock, raw, prepared], openapi_config=None, logging_config=None)


class FanOut:
    """POST sends its body to all clients of GET: one wake-up and one `send` for each."""

    def __init__(self) -> None:
        self._frame = b""
        self._changed = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] == "POST":
            await self._publish(receive, send)
        else:
            await self._stream(send)

    async def _publish(self, receive: Any, send: Any) -> None:
        self._frame = b"data: " + (await receive())["body"] + b"\n\n"
        self._changed.set()
        self._changed = asyncio.Event()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _stream(self, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b": open\n\n", "more_body": True})
        while True:
            await self._changed.wait()
            await send({"type": "http.response.body", "body": self._frame, "more_body": True})


def main(name: str, port: int) -> None:
    app: Any = {"litestar": litestar, "stream": FanOut}[name]()
    lifespan: Any = "off"
    config = uvicorn.Config(
        app,
        port=port,
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan=lifespan,
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
