"""Reads the body of a request, within a size and a time."""

import asyncio

from litestar.exceptions import InternalServerException

from roompulse.errors import BadRequest, BodyTooLarge, RequestTimeout
from roompulse.web.http.routes import AnyRequest


async def read_body(request: AnyRequest, most: int, seconds: float, what: str) -> bytes:
    """The whole body, which messages call `what`; raises BodyTooLarge, RequestTimeout or BadRequest."""
    body = b""
    try:
        async with asyncio.timeout(seconds):
            async for fragment in request.stream():
                body += fragment
                if len(body) > most:
                    raise BodyTooLarge(f"the {what} has more than {most} bytes")
    except TimeoutError:
        raise RequestTimeout(f"the {what} was not received within {seconds:g} s") from None
    except InternalServerException:  # Litestar's error for a client that disconnected before the end
        raise BadRequest(f"the {what} is incomplete") from None
    return body
