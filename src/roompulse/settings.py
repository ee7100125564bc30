"""The settings: typed, with their defaults, read from the environment and the command line."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from roompulse.errors import StartupError
from roompulse.net import Networks
from roompulse.validation import plain_fault

PREFIX = "ROOMPULSE_"

OF_COMMANDS = {f"{PREFIX}KEY"}
"""Variables that other commands than `serve` read; they are not settings."""

_ROOT_PATH = re.compile(r"(?=.{0,200}\Z)(/(?!\.{1,2}(/|\Z))[A-Za-z0-9._~-]+)*")

_ORIGIN = re.compile(r"https?://[a-z0-9.-]{1,253}(:\d{1,5})?")

Seconds = Annotated[float, Meta(gt=0, le=10**9)]
Count = Annotated[int, Meta(ge=1, le=10**9)]


class Names(frozenset[str]):
    """Names, separated by commas; in lower case."""

    def __new__(cls, text: str = "") -> Self:
        return super().__new__(cls, filter(None, (part.strip().lower() for part in text.split(","))))

    def __str__(self) -> str:
        return ",".join(sorted(self))


class Origins(frozenset[str]):
    """Origins of pages, separated by commas, as in `https://desk.example.com`."""

    def __new__(cls, text: str = "") -> Self:
        origins = [part.strip().lower() for part in text.split(",") if part.strip()]
        if not all(_ORIGIN.fullmatch(origin) for origin in origins):
            raise ValueError("must be origins such as https://desk.example.com, separated by commas")
        return super().__new__(cls, origins)

    def __str__(self) -> str:
        return ",".join(sorted(self))


class RootPath(str):
    """A path under which a proxy serves the application, as in `/pulse`; empty at the root of a host.

    A `/` at its end is ignored. It becomes part of links, cookies and redirects, where other characters have meanings.
    """

    __slots__ = ()

    def __new__(cls, text: str = "") -> Self:
        path = text.rstrip("/")
        if not _ROOT_PATH.fullmatch(path):
            raise ValueError("must be a path such as /pulse")
        return super().__new__(cls, path)


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """Each field is set by `ROOMPULSE_<NAME>` in the environment. A test compares docs/settings.md with this."""

    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8180
    data: Path = Path("data")
    database_url: str | None = None
    synchronous: Literal["FULL", "NORMAL"] = "FULL"
    stale_after: Seconds = 15
    leave_after: Seconds = 60
    push_interval: Annotated[float, Meta(ge=0, le=60)] = 0.25
    snapshot_interval: Seconds = 10
    event_hold: Annotated[float, Meta(ge=0, le=3600)] = 10
    sample_retention: Seconds = 86_400
    snapshot_retention: Seconds = 2_592_000
    max_body: Count = 1_048_576
    max_report_users: Count = 5_000
    max_report_streams: Count = 10_000
    max_rooms: Count = 20_000
    max_room_users: Count = 20_000
    max_reported_users: Count = 100
    max_user_streams: Count = 64
    max_queue: Count = 10_000
    max_viewers: Count = 5_000
    max_address_viewers: Count = 1_000
    reader_rate: Annotated[float, Meta(ge=0, le=10**9)] = 50
    max_reads: Count = 16
    max_views: Count = 1_000
    max_address_views: Count = 200
    sender_rate: Annotated[float, Meta(ge=0, le=10**9)] = 200
    sender_streams: Count = 10_000
    sender_rooms: Count = 1_000
    sender_users: Count = 30_000
    body_timeout: Seconds = 20
    send_timeout: Seconds = 20
    commit_timeout: Seconds = 10
    open: bool = False
    behind_proxy: bool = False
    trusted_proxies: Networks = Networks("127.0.0.1,::1")
    proxy_user_header: str | None = None
    root_path: RootPath = RootPath()
    allowed_hosts: Names = Names()
    embed_origins: Origins = Origins()
    public_url: str | None = None
    max_rules: Count = 200
    max_alerts: Count = 5_000
    alert_private_targets: bool = False
    smtp_url: str | None = None
    smtp_from: str = "roompulse@localhost"
    session_idle: Seconds = 43_200
    session_lifetime: Seconds = 604_800
    log_format: Literal["text", "json"] = "text"
    log_requests: bool = False
    demo: bool = False


def url_of(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def local_url(host: str, port: int) -> str:
    """The URL at which a program on the same machine reaches a server that listens there."""
    return url_of({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port)  # noqa: S104  (not to listen there)


LOCAL_URL = local_url(Settings().host, Settings().port)
"""The address of `roompulse serve` with default settings."""


def load_settings(environment: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
    """Read the settings; a flag that is not None overrides the environment.

    Raises:
        StartupError: a value is invalid; the message has the name of the flag or variable.

    """
    values: dict[str, Any] = {}
    for name in Settings.__struct_fields__:
        source, value = f"{PREFIX}{name.upper()}", environment.get(f"{PREFIX}{name.upper()}")
        if flags.get(name) is not None:
            source, value = f"--{name.replace('_', '-')}", str(flags[name])
        if value is not None:
            values[name] = _convert(name, value, source)
    return Settings(**values)


def unknown_names(environment: Mapping[str, str]) -> list[str]:
    """Variables that begin like settings but are unknown: most likely typos."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.__struct_fields__} | OF_COMMANDS
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


def _convert(name: str, value: str, source: str) -> Any:
    try:
        settings = msgspec.convert({name: value}, Settings, strict=False, dec_hook=lambda kind, text: kind(text))
    except msgspec.ValidationError as error:
        kind: Any = Settings.__annotations__[name]
        if get_origin(kind) is Literal:
            raise StartupError(f"{source}: must be {' or '.join(get_args(kind))}, not {value!r}") from None
        fault = plain_fault(str(error).partition(" - at `")[0].partition(", got")[0])
        raise StartupError(f"{source}: {fault}, not {value!r}") from None
    return getattr(settings, name)
