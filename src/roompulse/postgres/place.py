"""Where the database is, by DATABASE_URL."""

from urllib.parse import urlsplit

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from roompulse.errors import StartupError
from roompulse.settings import Settings


def url_of(settings: Settings) -> URL:
    """Raises StartupError for an invalid URL."""
    try:
        return make_url(_with_one_place(settings.database_url or "")).set(drivername="postgresql")
    except (ArgumentError, ValueError):
        # Without the text, which has a password.
        raise StartupError("DATABASE_URL: not a URL as in postgresql://USER:PASSWORD@HOST:PORT/DATABASE") from None


def _with_one_place(url: str) -> str:
    """The URL with several hosts, which the driver tries in turn, in a parameter: SQLAlchemy accepts only one host.

    Of several, a writable one is used.
    """
    _, at, hosts = urlsplit(url).netloc.rpartition("@")
    if "," not in hosts:
        return url
    start, _, end = url.partition(f"{at}{hosts}")
    wanted = "" if "target_session_attrs=" in url else "&target_session_attrs=read-write"
    return f"{start}{at}{end}{'&' if '?' in end else '?'}host={hosts}{wanted}"


def place_of(url: URL) -> str:
    hosts = url.query.get("host") or f"{url.host or 'localhost'}:{url.port or 5432}"
    return f"{url.database} at {hosts}"
