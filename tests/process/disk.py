"""A disk that loses what was not flushed: `python -m tests.process.disk FOLDER SEED serve …` runs roompulse on it.

FOLDER gets the durable part of each file of a database: writes before the last flush and, of those
since, some that a disk may have written by itself, in any order, whole or half. So when the process is killed,
FOLDER is the state after a power loss.

SQLite reads and writes by tables of functions (https://sqlite.org/vfs.html). Some of them are replaced here, in the
SQLite that Python's `sqlite3` uses, whichever that is: the tables are found through a connection.
"""

import ctypes
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from roompulse.cli import main

KEPT = 0x100 | 0x800 | 0x80000
"""SQLITE_OPEN_MAIN_DB, _MAIN_JOURNAL and _WAL: files that must not be lost."""

_NAME, _OPEN, _DELETE = 3, 5, 6
"""Places in `sqlite3_vfs`, counted in pointers."""

_WRITE, _TRUNCATE, _SYNC = 3, 4, 5
"""Places in `sqlite3_io_methods`."""

_METHODS = 19
"""Pointers in `sqlite3_io_methods`, its version included."""

_Pointer = ctypes.c_void_p
# SQLite keeps the pointer to the name, so that it must be passed on as it is.
_Open = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, _Pointer, _Pointer, ctypes.c_int, _Pointer)
_Delete = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, _Pointer, ctypes.c_int)
_Write = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, _Pointer, ctypes.c_int, ctypes.c_int64)
_Truncate = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, ctypes.c_int64)
_Sync = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, ctypes.c_int)


class SafeFile:
    """The durable part of one file."""

    def __init__(self, path: Path, chance: Random) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._chance = chance
        self._pending: list[tuple[int, bytes] | int] = []

    def write(self, offset: int, content: bytes) -> None:
        self._pending.append((offset, content))
        part = self._chance.choice([0, 0, len(content) // 2, len(content)])
        os.pwrite(self._file, content[:part], offset)

    def truncate(self, size: int) -> None:
        self._pending.append(size)

    def flush(self) -> None:
        for change in self._pending:
            if isinstance(change, int):
                os.ftruncate(self._file, change)
            else:
                os.pwrite(self._file, change[1], change[0])
        self._pending.clear()


def install(folder: Path, seed: int) -> None:
    """Keep in `folder` the durable part of each database that is opened from now on."""
    vfs = _vfs()
    original_open, original_delete = _Open(vfs[_OPEN]), _Delete(vfs[_DELETE])
    chance = Random(seed)  # noqa: S311
    files: dict[int, SafeFile] = {}
    tables: dict[int, Any] = {}

    def safe(name: int) -> Path:
        return folder / Path(os.fsdecode(ctypes.string_at(name))).name

    def open_(this: int, name: int | None, file: int, flags: int, out: int | None) -> int:
        code = int(original_open(this, name, file, flags, out))
        if code == 0 and name and flags & KEPT:
            files[file] = SafeFile(safe(name), chance)
            methods = ctypes.cast(_Pointer(file), ctypes.POINTER(_Pointer))
            original = methods[0] or 0
            tables.setdefault(original, _replaced(original, files))
            methods[0] = ctypes.addressof(tables[original])
        return code

    def delete(this: int, name: int, flush: int) -> int:
        safe(name).unlink(missing_ok=True)
        return int(original_delete(this, name, flush))

    ours = _Open(open_), _Delete(delete)
    _kept_alive.extend(ours)
    for place, function in zip((_OPEN, _DELETE), ours, strict=True):
        vfs[place] = ctypes.cast(function, _Pointer).value


def _replaced(original: int, files: dict[int, SafeFile]) -> Any:
    """The table of methods at `original`, with ours in place of three of them, which call those."""
    methods = (ctypes.c_size_t * _METHODS)()
    ctypes.memmove(methods, original, ctypes.sizeof(methods))
    write, truncate, sync = _Write(methods[_WRITE]), _Truncate(methods[_TRUNCATE]), _Sync(methods[_SYNC])

    def write_(file: int, content: int, size: int, offset: int) -> int:
        files[file].write(offset, ctypes.string_at(content, size))
        return int(write(file, content, size, offset))

    def truncate_(file: int, size: int) -> int:
        files[file].truncate(size)
        return int(truncate(file, size))

    def sync_(file: int, flags: int) -> int:
        code = int(sync(file, flags))
        files[file].flush()
        return code

    ours = _Write(write_), _Truncate(truncate_), _Sync(sync_)
    _kept_alive.extend(ours)
    for place, method in zip((_WRITE, _TRUNCATE, _SYNC), ours, strict=True):
        methods[place] = ctypes.cast(method, _Pointer).value or 0
    return methods


_kept_alive: list[Any] = []
"""Functions that SQLite calls, kept from garbage collection."""


def _vfs() -> Any:
    """SQLite's table of functions of this system, as an array of pointers.

    A connection of Python begins, after what each object has, with a pointer to that of SQLite, which begins with one
    to this table.
    """
    with closing(sqlite3.connect(":memory:")) as connection:
        of_sqlite = _Pointer.from_address(id(connection) + object.__basicsize__).value
        table = ctypes.cast(_Pointer(of_sqlite), ctypes.POINTER(_Pointer))[0]
    vfs = ctypes.cast(_Pointer(table), ctypes.POINTER(_Pointer))
    assert ctypes.string_at(vfs[_NAME] or 0) == b"unix", "this Python keeps its connections in another way"
    return vfs


if __name__ == "__main__":
    install(Path(sys.argv.pop(1)), int(sys.argv.pop(1)))
    main()
