"""The folders of templates and static files, and their URLs: served from memory, as they are few and small.

Pages refer to `/assets/<digest>/…`, which never changes and is cached for a year; `/static/…` is for URLs that
appear on other sites, to which only the SDK is open.
"""

from collections.abc import Mapping
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path, PurePath

from litestar import Response, Router, route
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from msgspec import Struct

from roompulse.web.http.headers import OPEN_HEADERS
from roompulse.web.http.json_answer import etag_of, is_known
from roompulse.web.http.routes import FOR_ANYBODY, GET, AnyRequest, with_options

_PACKAGE = Path(__file__).parents[2]


class _File(Struct, frozen=True):
    content: bytes
    media_type: str
    etag: str


def _folder(name: str) -> Path:
    """A folder of the wheel, or of the source tree that this runs from."""
    return next(path for path in (_PACKAGE / name, _PACKAGE.parents[1] / name) if path.is_dir())


class Assets:
    def __init__(self) -> None:
        self.templates = _folder("templates")
        self._files = _files(_folder("static"))
        digest = sha256()
        for name, file in self._files.items():
            digest.update(name.encode() + b"\0" + file.content)
        self._versioned = f"assets/{digest.hexdigest()[:16]}"

    def url(self, name: str) -> str:
        """URL of the static file `name`, as in `css/roompulse.css`, relative to the root of the application."""
        return f"{self._versioned}/{name}"

    def routers(self) -> list[Router]:
        sdk = {name.removeprefix("sdk/"): file for name, file in self._files.items() if name.startswith("sdk/")}
        return [
            _router(f"/{self._versioned}", self._files, "public, max-age=31536000, immutable", {}),
            _router("/static/sdk", sdk, "no-cache", OPEN_HEADERS),
            _router("/static", self._files, "no-cache", {}),
        ]


def _files(folder: Path) -> dict[str, _File]:
    """All files of a folder by their paths below it."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        media_type = guess_type(path.name)[0] or "text/plain"
        found[path.relative_to(folder).as_posix()] = _File(content, media_type, etag_of([content]))
    return found


def _router(path: str, files: Mapping[str, _File], cache_control: str, headers: Mapping[str, str]) -> Router:
    """`headers` are on every answer, including OPTIONS."""

    @route("/{file_path:path}", http_method=GET, sync_to_thread=False)
    def static_file(request: AnyRequest, file_path: FromPath[PurePath]) -> Response[bytes | None]:
        file = files.get(file_path.as_posix().lstrip("/"))
        if file is None:
            raise NotFoundException
        tagged = {"Cache-Control": cache_control, "ETag": file.etag}
        if is_known(request, file.etag):
            return Response(None, status_code=304, headers=tagged)
        return Response(file.content, media_type=file.media_type, headers=tagged)

    return Router(path, route_handlers=with_options([static_file]), opt=FOR_ANYBODY, response_headers=headers)
