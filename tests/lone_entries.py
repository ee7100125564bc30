"""Samples as versions up to 0.1.0 stored them: a row for each entry of a report."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import astuple
from sqlalchemy import Connection, insert

from roompulse.report.model import Entry, Received, Report
from roompulse.store.packing import pack_report
from roompulse.store.schema import samples

_COLUMNS = "room_id", "reporter_id", "sdk_version", "report_time", "received_at", "user_id", "streams"


def lone_rows(reports: Iterable[Received]) -> list[dict[str, Any]]:
    return [dict(zip(_COLUMNS, row, strict=True)) for one in reports for row in _rows(one.report, round(one.at * 1000))]


def insert_lone_entries(connection: Connection, reports: Iterable[Received]) -> None:
    connection.execute(insert(samples), lone_rows(reports))


def _rows(report: Report, at: int) -> Iterable[tuple[Any, ...]]:
    common = report.room_id, report.user_id, report.sdk_version, report.report_time, at
    whole: dict[str, Any] = {"room_name": report.room_name, "labels": report.labels}
    whole["events"] = report.events and [astuple(event) for event in report.events]
    if not report.metrics:
        yield (*common, None, msgspec.msgpack.encode([_given(whole)] if _given(whole) else []))
    for entry in report.metrics:
        more: dict[str, Any] = {**whole, "device": entry.device and astuple(entry.device), "user_name": entry.user_name}
        more["connection"] = entry.connection and astuple(entry.connection)
        yield (*common, entry.user_id, _packed(entry, _given(more), report.report_time))
        whole = {}


def _given(more: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in more.items() if value}


def _packed(entry: Entry, more: dict[str, Any], report_time: int) -> bytes:
    (values,) = msgspec.msgpack.decode(pack_report([(entry.streams, more)], {}, report_time))
    return msgspec.msgpack.encode(values)
