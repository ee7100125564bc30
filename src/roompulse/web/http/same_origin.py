"""Whether a request comes from a page of this server, or from another site's page in an operator's browser."""

from urllib.parse import urlsplit

from litestar.types import Scope


def is_same_origin(scope: Scope) -> bool:
    """Whether a request may change something: no page of another site made the browser send it.

    Browsers state it in `Sec-Fetch-Site`, older ones in `Origin`, and pages cannot change either. All of them send
    `Origin` with a POST to another site, so a client that sends neither is no browser, and sends no cookie by
    accident. The order of checks is that of Go's http.CrossOriginProtection.
    """
    sites, origins, hosts = (_values(scope, name) for name in (b"sec-fetch-site", b"origin", b"host"))
    if sites:
        # "none" is an operator who typed the address.
        return sites in (["same-origin"], ["none"])
    return not origins or (len(origins) == 1 and [_authority(origins[0])] == hosts)


def _values(scope: Scope, wanted: bytes) -> list[str]:
    return [value.decode("latin-1").lower() for name, value in scope["headers"] if name == wanted]


def _authority(origin: str) -> str:
    """Host and port of an origin, as in a Host header; empty for `null`."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
