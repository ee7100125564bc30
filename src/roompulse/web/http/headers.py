"""Headers that answers share. `with_headers` adds them to each answer, from any route or library."""

from collections.abc import Mapping

from litestar.types import Message, Send

COMMON_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # Under `no-referrer` forms come with `Origin: null`, as if from another site (see web/http/same_origin.py).
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""On every answer that does not set them itself."""

_UNUSED = (
    *("accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen"),
    *("geolocation", "gyroscope", "hid", "idle-detection", "local-fonts", "magnetometer", "microphone", "midi"),
    *("payment", "picture-in-picture", "publickey-credentials-get", "screen-wake-lock", "serial", "usb"),
    "xr-spatial-tracking",
)
"""Browser features that no page of ours uses. Chromium complains of names that it does not know."""


def permissions(*used: str) -> str:
    """A Permissions-Policy that allows only the features `used`."""
    return ", ".join(f"{feature}=({'self' if feature in used else ''})" for feature in _UNUSED)


PAGE_HEADERS = COMMON_HEADERS | {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": permissions(),
}
"""On every page and part of one: nothing from other origins, nothing inline, no framing, no opener."""

OPEN_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""On routes that other sites may use without credentials: the SDK and the ingest."""

INGEST_HEADERS = OPEN_HEADERS | {"Access-Control-Expose-Headers": "Retry-After"}
PREFLIGHT_HEADERS = INGEST_HEADERS | {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Content-Type, Authorization",
    "Access-Control-Max-Age": "86400",
}

RawHeaders = list[tuple[bytes, bytes]]


def raw_headers(headers: Mapping[str, str]) -> RawHeaders:
    """As ASGI has them."""
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


_common, _page = raw_headers(COMMON_HEADERS), raw_headers(PAGE_HEADERS)


def with_headers(send: Send, prefix: str = "") -> Send:
    """An ASGI `send` that adds the missing common headers to each answer; redirects lead below `prefix`."""

    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            # ASGI has names in lower case.
            given = dict(message["headers"])
            wanted = _page if given.get(b"content-type", b"").startswith(b"text/html") else _common
            message["headers"] = [*message["headers"], *[header for header in wanted if header[0] not in given]]
            if prefix and b"location" in given:
                message["headers"] = [_below(prefix, *header) for header in message["headers"]]
        await send(message)

    return send_on


def with_extra(send: Send, headers: Mapping[str, str]) -> Send:
    """An ASGI `send` that sets these headers on an answer."""
    extra = raw_headers(headers)
    names = {name for name, _ in extra}

    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*(one for one in message["headers"] if one[0] not in names), *extra]
        await send(message)

    return send_on


def _below(prefix: str, name: bytes, value: bytes) -> tuple[bytes, bytes]:
    is_path = name == b"location" and value.startswith(b"/")
    return name, prefix.encode() + value if is_path else value
