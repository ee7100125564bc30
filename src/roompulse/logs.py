"""The server's log: one format for roompulse, uvicorn and Alembic, and no line that a sender could forge."""

import logging
from typing import Any, Literal

import structlog
from structlog.types import EventDict, Processor

from roompulse.printable import printable

LONGEST = 2_000
"""Characters of a message or value; a traceback has at most TRACEBACK."""

TRACEBACK = 20_000

_QUIET = ("sqlalchemy", "aiosqlite", "alembic", "uvicorn")
"""Below warnings, these libraries log parameters of statements, or nothing useful."""


def set_up_logs(log_format: Literal["text", "json"]) -> None:
    """Log to stderr from now on, one line per event; in `text`, a traceback has several indented lines."""
    logging.basicConfig(handlers=[_handler(log_format)], force=True)
    logging.getLogger("roompulse").setLevel(logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def set_up_own_logs(log_format: Literal["text", "json"]) -> None:
    """Log roompulse's lines to stderr, unless the surrounding program has set up logging."""
    own = logging.getLogger("roompulse")
    own.setLevel(logging.INFO)
    if not own.hasHandlers():
        own.addHandler(_handler(log_format))


def _handler(log_format: Literal["text", "json"]) -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                # Python's own tracebacks: other formats show the values of variables, which may be secrets.
                structlog.processors.format_exc_info,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _harmless, *_renderers(log_format)],
        )
    )
    return handler


def _renderers(log_format: Literal["text", "json"]) -> list[Processor]:
    if log_format == "json":
        return [structlog.processors.EventRenamer("message"), structlog.processors.JSONRenderer()]
    return [
        structlog.dev.ConsoleRenderer(
            colors=False, pad_event_to=0, sort_keys=False, exception_formatter=structlog.dev.plain_traceback
        )
    ]


def _harmless(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Escape characters that could forge a line, and cut long values."""
    traceback = event.pop("exception", None)
    harmless = {key: printable(value, LONGEST) if isinstance(value, str) else value for key, value in event.items()}
    if traceback:
        lines = traceback[:TRACEBACK].splitlines()
        harmless["exception"] = "\n".join(f"    {printable(line, LONGEST)}" for line in lines)
    return harmless
