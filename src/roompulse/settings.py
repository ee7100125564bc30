"""The settings: typed, with their defaults, read from the environment and the command line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from roompulse.errors import StartupError

PREFIX = "ROOMPULSE_"

Seconds = Annotated[float, Meta(gt=0, le=10**9)]
Count = Annotated[int, Meta(ge=1, le=10**9)]


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """Each field is set by `ROOMPULSE_<NAME>` in the environment; docs/settings.md is held to this by a test."""

    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8180
    data: Path = Path("data")
    database_url: str | None = None
    stale_after: Seconds = 15
    leave_after: Seconds = 60
    push_interval: Annotated[float, Meta(ge=0, le=60)] = 0.25
    snapshot_interval: Seconds = 10
    sample_retention: Seconds = 86_400
    snapshot_retention: Seconds = 2_592_000
    max_body: Count = 1_048_576
    max_rooms: Count = 20_000
    max_room_users: Count = 20_000
    max_user_streams: Count = 64
    max_queue: Count = 10_000
    max_viewers: Count = 5_000
    sender_rate: Annotated[float, Meta(ge=0, le=10**9)] = 200
    demo: bool = False


def load_settings(environment: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
    """Read the settings; a flag that is not None beats the environment.

    Raises:
        StartupError: a value that is wrong, by the name under which it was given.

    """
    values: dict[str, Any] = {}
    for name in Settings.__struct_fields__:
        source, value = f"{PREFIX}{name.upper()}", environment.get(f"{PREFIX}{name.upper()}")
        if flags.get(name) is not None:
            source, value = f"--{name}", str(flags[name])
        if value is not None:
            values[name] = _convert(name, value, source)
    return Settings(**values)


def unknown_names(environment: Mapping[str, str]) -> list[str]:
    """Variables that look like settings and are none: most likely a typing error."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.__struct_fields__}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


def _convert(name: str, value: str, source: str) -> Any:
    try:
        settings = msgspec.convert({name: value}, Settings, strict=False, dec_hook=lambda kind, text: kind(text))
    except msgspec.ValidationError as error:
        expected = str(error).partition(" - at `")[0].partition(", got")[0]
        raise StartupError(f"{source}: {expected[0].lower()}{expected[1:]}, not {value!r}") from None
    return getattr(settings, name)
