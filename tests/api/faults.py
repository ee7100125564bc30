"""A database that fails as real ones do: in the driver, at the call that a test says."""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import event

from roompulse.settings import Settings
from roompulse.store.engine import Database

Fault = Callable[["Faults"], None]


def _error(message: str, code: int, name: str) -> Fault:
    """Errors as sqlite3 raises them."""

    def fail(_: "Faults") -> None:
        error = sqlite3.OperationalError(message)
        error.sqlite_errorcode, error.sqlite_errorname = code, name
        raise error

    return fail


def _slow(faults: "Faults") -> None:
    """Take until the fault ends, and succeed then."""
    faults.hangs.set()
    faults.ended.wait()
    faults.hangs.clear()


FAULTS: dict[str, Fault] = {
    "full": _error("database or disk is full", sqlite3.SQLITE_FULL, "SQLITE_FULL"),
    "io": _error("disk I/O error", sqlite3.SQLITE_IOERR_WRITE, "SQLITE_IOERR_WRITE"),
    "locked": _error("database is locked", sqlite3.SQLITE_BUSY, "SQLITE_BUSY"),
    "slow": _slow,
}


class Faults:
    """Counts the calls of the connection that writes, and lets those fail that are to."""

    def __init__(self) -> None:
        self.hangs = threading.Event()
        self.ended = threading.Event()
        self._fault: Fault | None = None
        self._left = 0
        self._lasting = False

    def begin(self, fault: Fault, *, nth: int, lasting: bool) -> None:
        """Let the `nth` call from now on fail, and with `lasting` all after it."""
        self.ended.clear()
        self._fault, self._left, self._lasting = fault, nth, lasting

    def end(self) -> None:
        self._fault = None
        self.ended.set()

    def call(self) -> None:
        self._left -= 1
        if self._fault and (self._left == 0 or (self._left < 0 and self._lasting)):
            self._fault(self)

    def database(self, settings: Settings) -> Database:
        database = Database(settings)

        @event.listens_for(database._writer, "do_connect")
        def connect(_dialect: object, _record: object, _args: object, arguments: dict[str, Any]) -> None:
            arguments["factory"] = partial(_Connection, self)

        return database


class _Connection(sqlite3.Connection):
    def __init__(self, faults: Faults, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._faults = faults

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(partial(_Cursor, self._faults))

    def commit(self) -> None:
        self._faults.call()
        super().commit()


class _Cursor(sqlite3.Cursor):
    def __init__(self, faults: Faults, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._faults = faults

    def execute(self, statement: str, parameters: Any = ()) -> "_Cursor":
        self._faults.call()
        super().execute(statement, parameters)
        return self

    def executemany(self, statement: str, parameters: Sequence[Any]) -> "_Cursor":  # type: ignore[override]
        self._faults.call()
        super().executemany(statement, parameters)
        return self
