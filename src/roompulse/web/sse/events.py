"""Server-sent events as bytes. Each is encoded once, for all readers."""

from collections.abc import Mapping

from msgspec import json

HEARTBEAT = 10
"""Seconds between `ping` events. They carry data, since htmx does not see comment lines."""

# htmx 4.0.1 takes a "\r\n" that arrives in two pieces for two line ends.
SEPARATOR = "\n"
_NEXT_LINE = f"{SEPARATOR}data: "


def event(data: str, *, name: str | None = None, ident: str | None = None) -> bytes:
    """Lines of text as an event of the type `name`, which neither it nor `ident` may end."""
    # Not by ServerSentEvent: it splits a page into 3,000 lines, which is a third of the cost of a push.
    if "\r" in data:
        data = data.replace("\r\n", "\n").replace("\r", "\n")
    return f"{_head(name, ident)}data: {data.replace(SEPARATOR, _NEXT_LINE)}\n\n".encode()


def _head(name: str | None, ident: str | None) -> str:
    return (f"id: {ident}\n" if ident else "") + (f"event: {name}\n" if name else "")


def json_event(data: object, *, name: str, ident: str | None = None) -> bytes:
    return encoded_event(json.encode(data), name=name, ident=ident)


def encoded_event(encoded: bytes, *, name: str, ident: str | None = None) -> bytes:
    """An event of encoded JSON, which has no line ends."""
    return b"%bdata: %b\n\n" % (_head(name, ident).encode(), encoded)


def partial(target: str, html: str) -> bytes:
    """An unnamed event, which htmx morphs into the element with the id `target`."""
    return event(f'<hx-partial hx-target="#{target}" hx-swap="innerMorph">{html}</hx-partial>')


def slowdown_frames(seconds: int) -> Mapping[str, bytes]:
    """The event for all viewers that views are updated every so many seconds, or (0) with each change again."""
    return {"interval": event(str(seconds), name="interval")}
