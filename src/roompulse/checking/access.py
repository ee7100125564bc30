"""Checks of access control; its database is only read."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from roompulse.access.exposure import remarks_at_start
from roompulse.access.model import Key, Known, Operator
from roompulse.checking.finding import Finding, Subject, error, ok, warning
from roompulse.errors import StartupError
from roompulse.net import is_loopback
from roompulse.store.backup import reading
from roompulse.store.files import access_path


def access(subject: Subject) -> Iterator[Finding]:
    path = access_path(subject.settings)
    try:
        known = _known(path) if path.exists() else Known()
    except sqlite3.Error as problem:
        yield error(f"the database {path} cannot be read: {problem}")
        return
    yield from _exposure(subject, known)
    if path.exists() and path.stat().st_mode & 0o077:
        yield warning(f"{path} can be read by other users: it contains the keys that sign tokens (chmod 600)")


def _exposure(subject: Subject, known: Known) -> Iterator[Finding]:
    reachable = not is_loopback(subject.settings.host)
    try:
        remarks = remarks_at_start(subject.settings, known, reachable=reachable)
    except StartupError as problem:
        yield error(str(problem))
        return
    for remark in remarks:
        yield warning(remark)
    if not remarks:
        yield ok(f"access: operators: {len(known.operators)}, API keys: {len(known.keys)}")


def _known(path: Path) -> Known:
    with closing(reading(path)) as connection:
        keys = [Key(*row) for row in connection.execute("SELECT id, kind, name, secret, created_at FROM access_key")]
        operators = [
            Operator(*row) for row in connection.execute("SELECT name, role, password_hash, created_at FROM operator")
        ]
    return Known({key.id: key for key in keys}, {operator.name: operator for operator in operators})
