"""Where templates and static files are, and under which URLs static files are served.

Pages refer to `/assets/<digest>/…`, which never changes and is cached for a year; `/static/…` is for names that
appear in the pages of others, and of these the SDK is open to other sites.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from litestar import Router
from litestar.datastructures import CacheControlHeader
from litestar.static_files import create_static_files_router

from roompulse.web.http.headers import OPEN_HEADERS
from roompulse.web.http.routes import FOR_ANYBODY, with_options

_ONE_YEAR = 365 * 24 * 3600
_PACKAGE = Path(__file__).parents[2]


def _folder(name: str) -> Path:
    """A folder of the wheel, or of the source tree that this runs from."""
    return next(path for path in (_PACKAGE / name, _PACKAGE.parents[1] / name) if path.is_dir())


class _Router(Router):
    """A router that says by OPTIONS what all of its handlers allow."""

    def __init__(self, path: str, *, route_handlers: Iterable[Any], **parameters: Any) -> None:
        super().__init__(path, route_handlers=with_options(route_handlers), **parameters)


class Assets:
    def __init__(self) -> None:
        self.templates = _folder("templates")
        self.static = _folder("static")
        digest = sha256()
        for path in sorted(path for path in self.static.rglob("*") if path.is_file()):
            digest.update(path.relative_to(self.static).as_posix().encode() + b"\0" + path.read_bytes())
        self._versioned = f"assets/{digest.hexdigest()[:16]}"

    def url(self, name: str) -> str:
        """URL of the static file `name`, as in `css/roompulse.css`, relative to the root of the application."""
        return f"{self._versioned}/{name}"

    def routers(self) -> list[Router]:
        forever = CacheControlHeader(max_age=_ONE_YEAR, public=True, immutable=True)
        revalidated = CacheControlHeader(no_cache=True)
        return [
            _router(f"/{self._versioned}", self.static, forever, {}),
            _router("/static/sdk", self.static / "sdk", revalidated, OPEN_HEADERS),
            _router("/static", self.static, revalidated, {}),
        ]


def _router(path: str, folder: Path, cache: CacheControlHeader, headers: Mapping[str, str]) -> Router:
    def add_headers(response: Any) -> Any:  # an ASGIFileResponse, which the hook is not typed for
        for name, value in headers.items():
            response.headers[name] = value
        return response

    # Headers of the router itself do not reach the file responses of Litestar 2.25.
    return create_static_files_router(
        path,
        directories=[folder],
        name=path,
        cache_control=cache,
        after_request=add_headers,
        opt=FOR_ANYBODY,
        router_class=_Router,
    )
