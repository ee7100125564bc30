"""Files, gzip'ed or not, and which kind of recording they hold."""

import gzip
import zlib
from io import BytesIO
from pathlib import Path

from roompulse.importing.internals import read_internals
from roompulse.importing.recording import Recording, Unusable
from roompulse.importing.rtcstats import MAGIC, read_rtcstats

MOST_BYTES = 256 * 2**20
"""Of an unpacked file: more than an hour of a call of thirty, and fits into memory a few times."""

_GZIP = b"\x1f\x8b"
_START = 4096
"""Bytes that contain the first line of a dump, or enough of it."""


def read(path: Path) -> Recording:
    """Raises Unusable: the file cannot be read, or has another format."""
    data = _content(path)
    start = data[:_START].lstrip()
    if start.startswith((MAGIC, b"[")) or _is_about_lines(data):
        return read_rtcstats(BytesIO(data))
    if start.startswith(b'{"statsSessionId"'):
        raise Unusable("statistics of a media server (jvb, jicofo, jigasi): there is no getStats() of a browser in it")
    if start.startswith(b"{"):
        return read_internals(data)
    raise Unusable("neither a dump of chrome://webrtc-internals nor one of rtcstats" if data else "the file is empty")


def _is_about_lines(data: bytes) -> bool:
    """Whether the first line has an object, and the second a list, as in earlier formats of rtcstats."""
    end = data.find(b"\n") + 1
    return end > 0 and data.startswith(b"{") and data[end : end + 1] == b"["


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            packed = file.read(len(_GZIP)) == _GZIP
            file.seek(0)
            with gzip.GzipFile(fileobj=file) if packed else file as content:
                data: bytes = content.read(MOST_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Unusable(f"gzip'ed, but not sound, or not all of it: {error}") from None
    except OSError as error:
        raise Unusable(error.strerror or str(error)) from None
    if len(data) > MOST_BYTES:
        raise Unusable(f"more than {MOST_BYTES // 2**20} MB (unpacked) are not imported")
    return data
