"""Server-sent events as bytes. Each is encoded once, whoever reads it."""

from msgspec import json
from sse_starlette import ServerSentEvent

HEARTBEAT = 10
"""Seconds between `ping` events. They carry data, since htmx does not see comment lines."""

# htmx 4.0.1 takes a "\r\n" that arrives in two pieces for two line ends.
SEPARATOR = "\n"


def event(data: str, *, name: str | None = None, ident: str | None = None) -> bytes:
    return ServerSentEvent(data, event=name, id=ident, sep=SEPARATOR).encode()


def json_event(data: object, *, name: str, ident: str | None = None) -> bytes:
    return event(json.encode(data).decode(), name=name, ident=ident)


def partial(target: str, html: str) -> bytes:
    """An unnamed event, which htmx morphs into the element with the id `target`."""
    return event(f'<hx-partial hx-target="#{target}" hx-swap="innerMorph">{html}</hx-partial>')
