"""Rows of the database, and what they stand for."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from roompulse.errors import StoreError
from roompulse.report.model import Entry, Received, Report
from roompulse.store.packing import pack_streams, unpack_streams

FETCH_AT_ONCE = 1000
"""Rows that are read before other work gets its turn."""


@contextmanager
def store_errors() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreError(str(getattr(error, "orig", None) or error)) from error


def sample_rows(received: Received) -> Iterator[dict[str, Any]]:
    report = received.report
    # A report without entries is a sign of life, and kept as one row about nobody.
    for entry in report.metrics or (None,):
        yield {
            "room_id": report.room_id,
            "user_id": entry.user_id if entry else None,
            "reporter_id": report.user_id,
            "sdk_version": report.sdk_version,
            "report_time": report.report_time,
            "received_at": round(received.at * 1000),
            "streams": pack_streams(entry.streams if entry else ()),
        }


def received_of(row: Any) -> Received:
    entries = [] if row.user_id is None else [Entry(row.user_id, unpack_streams(row.streams))]
    report = Report(row.reporter_id, row.room_id, row.sdk_version, row.report_time, entries)
    return Received(report, row.received_at / 1000)
