"""Requests below `/shared/{token}/`: they reach the shared page and its parts, and nothing else."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote

from roompulse.access.model import Caller, Share
from roompulse.access.registry import SHARE_PROOF, AccessRegistry
from roompulse.access.shares import Shared, opened_by, path_of
from roompulse.errors import NotFound
from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.http.headers import PAGE_HEADERS, with_extra
from roompulse.web.http.routes import AnyRequest

PREFIX = "/shared/"

_NOT_INDEXED = {"X-Robots-Tag": "noindex, nofollow", "Referrer-Policy": "no-referrer"}
"""Headers of a shared page: no search engine lists it, and its URL is not sent as a referrer."""

_ASSETS = {"static", "assets"}


class SharedPages:
    """Pages that are opened by their links; pages of `embed_origins` may frame them, with `?embed=1`."""

    def __init__(self, registry: AccessRegistry, embed_origins: Collection[str]) -> None:
        self._registry = registry
        # The last directive of the policy forbids framing.
        policy, _, _ = PAGE_HEADERS["Content-Security-Policy"].rpartition("frame-ancestors")
        ancestors = f"{policy}frame-ancestors {' '.join(sorted(embed_origins))}"
        self._embedded = {**_NOT_INDEXED, "Content-Security-Policy": ancestors} if embed_origins else _NOT_INDEXED

    def open(self, scope: Any, send: Any) -> tuple[Any, Any]:
        """The scope of such a request as one to the page itself, and the `send` of its answer.

        Raises NotFound for a share that has expired or was revoked, and for paths outside its page.
        """
        token, _, path = scope["path"].removeprefix(PREFIX).partition("/")
        share, path = self._registry.share(token), f"/{path}"
        if share is None:
            raise NotFound("this link has expired or was revoked")
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if scope["method"] not in ("GET", "HEAD") or not _is_part(opened_by(share), path, query):
            raise NotFound("this path is not part of the shared page")
        state = {**scope["state"], "prefix": f"{scope['state']['prefix']}{PREFIX}{token}", "share": share}
        headers = self._embedded if ("embed", "1") in query else _NOT_INDEXED
        return {**scope, "path": path, "raw_path": path.encode(), "state": state}, with_extra(send, headers)


def url_of(request: AnyRequest, peers: ClientAddresses, token: str, share: Share) -> str:
    """The URL of a new share, as the client that made it reaches this server."""
    scheme = "https" if peers.is_https(request.scope) else "http"
    prefix: str = request.scope["state"]["prefix"]
    return f"{scheme}://{request.headers.get('host', 'localhost')}{prefix}{PREFIX}{token}{path_of(share)}"


def share_of(scope: Any) -> Share | None:
    """The share through which a page is viewed."""
    share: Share | None = scope["state"].get("share")
    return share


def caller_by(share: Share) -> Caller:
    return Caller("a shared link", proof=f"{SHARE_PROOF}{share.id}")


def _is_part(page: Shared, path: str, parameters: Sequence[tuple[str, str]]) -> bool:
    segments = tuple(unquote(segment) for segment in path.removeprefix("/").split("/"))
    if segments[0] in _ASSETS:
        return True
    if segments == page.segments:
        at = [value for name, value in parameters if name in ("at", "ago")]
        return at == ([] if page.at is None else [page.at])
    if page.at is None and segments == ("views", "stream"):
        views = [value for name, value in parameters if name == "view"]
        return bool(views) and all(_is_stream(page, view) for view in views)
    return segments in set(_parts(page))


def _is_stream(page: Shared, view: str) -> bool:
    path = view.partition("?")[0]
    return tuple(unquote(segment) for segment in path.split("/")) == (*page.segments, "stream")


def _parts(page: Shared) -> Iterator[tuple[str, ...]]:
    """The paths that the page loads: its stream, its lists and the figures of its charts."""
    names: tuple[str, ...]
    figures: tuple[str, ...]
    match page.segments:
        case ("rooms", room_id):
            names, figures = ("stream", "sessions"), ("history", room_id)
        case ("rooms", room_id, "users", user_id):
            names, figures = ("stream", "visits"), ("history", room_id, user_id)
        case _:
            names, figures = (), page.segments
    yield ("report", *figures)
    if page.at is None:
        yield from ((*page.segments, name) for name in names)
