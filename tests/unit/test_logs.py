"""The format of the log; that no secret is in it is held by tests/process/test_logs.py."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from roompulse.logs import set_up_logs

FORGED = "ok\n2026-01-01T00:00:00Z [info     ] \x1b[31mforged\u202e"


@contextmanager
def logging_of_its_own() -> Iterator[None]:
    """Changes of loggers in this context are undone at the end."""
    root, ours = logging.getLogger(), logging.getLogger("roompulse")
    before = root.handlers, root.level, ours.level
    root.handlers = []
    try:
        yield
    finally:
        root.handlers, root.level, ours.level = before


def fails(secret: str) -> None:
    raise RuntimeError(FORGED)


def written_as(log_format: Any, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of a log with a message, with fields, and an exception."""
    with logging_of_its_own():
        set_up_logs(log_format)
        logger = logging.getLogger("roompulse.ingest")
        logger.info("a batch of %d reports of %s", 3, FORGED, extra={"room": FORGED, "count": 3})
        try:
            fails("a local variable")
        except RuntimeError:
            logger.exception("it failed")
    return capsys.readouterr().err.rstrip("\n").split("\n")


def test_text_has_one_line_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    first, second, *traceback = written_as("text", capsys)
    assert first.endswith(
        "Z [info     ] a batch of 3 reports of ok\\n2026-01-01T00:00:00Z [info     ] \\x1b[31mforged\\u202e "
        "[roompulse.ingest] room='ok\\\\n2026-01-01T00:00:00Z [info     ] \\\\x1b[31mforged\\\\u202e' count=3"
    )
    assert "[error    ] it failed [roompulse.ingest]" in second
    assert all(line.startswith("    ") and line.isprintable() for line in traceback)
    assert traceback[-2].startswith("    RuntimeError: ok")


def test_json_has_one_object_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (msgspec.json.decode(line) for line in written_as("json", capsys))
    assert list(first) == ["level", "logger", "room", "count", "timestamp", "message"]
    assert (first["level"], first["logger"], first["count"]) == ("info", "roompulse.ingest", 3)
    assert first["message"].startswith("a batch of 3 reports of ok\\n2026")
    assert "RuntimeError: ok" in second["exception"]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_traceback_shows_no_values_of_variables(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    text = "\n".join(written_as(log_format, capsys))
    assert "fails(" in text
    assert text.count("a local variable") == 1  # the line of code that is in the traceback


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_libraries_are_heard_from_warnings_on(capsys: pytest.CaptureFixture[str], log_format: Any) -> None:
    with logging_of_its_own():
        set_up_logs(log_format)
        for name in ("uvicorn.error", "alembic.runtime.migration", "sqlalchemy.engine", "aiosqlite"):
            logging.getLogger(name).info("parameters of a statement")
            logging.getLogger(name).warning("%s is in trouble", name)
    written = capsys.readouterr().err
    assert "parameters" not in written
    assert written.count("is in trouble") == 4
