"""The parts in which a large report of a media server is committed."""

from collections.abc import Iterator

from msgspec.structs import replace

from roompulse.report.model import Entry, Report

PART = 500
"""Streams of a part, which takes some milliseconds to commit and to apply (docs/performance.md)."""


def parts_of(report: Report) -> Iterator[Report]:
    """The report of a media server in parts of PART streams, each with all that is said of its entries.

    An entry is not divided, and neither is the report of a client, which is stored as one row. The room's name and the
    events are in the first part.
    """
    if not report.by_server or report.weight <= PART:
        yield report
        return
    for entries in _portions(report.metrics):
        yield replace(report, metrics=entries)
        report = replace(report, room_name=None, events=None)


def _portions(entries: list[Entry]) -> Iterator[list[Entry]]:
    portion: list[Entry] = []
    streams = 0
    for entry in entries:
        portion.append(entry)
        streams += len(entry.streams) or 1
        if streams >= PART:
            yield portion
            portion, streams = [], 0
    if portion:
        yield portion
