"""The parts in which a large report of a media server is committed."""

from collections.abc import Iterator

from msgspec.structs import replace

from roompulse.report.model import Entry, Report

PART = 500
"""Streams of a part: it takes some 3 ms to commit and as long to apply, and other reports go on between two parts."""


def parts_of(report: Report) -> Iterator[Report]:
    """The report in parts of PART streams, each of whole entries; that of a client, which is one row, in one part.

    A media server's entries are stored each for itself (`rows_of`), so the parts are stored as the whole would be. What
    is said once of all of them (name, labels, events) is in the first part.
    """
    if not report.by_server or report.weight <= PART:
        yield report
        return
    for entries in _portions(report.metrics):
        yield replace(report, metrics=entries)
        report = replace(report, room_name=None, labels=None, events=None)


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
