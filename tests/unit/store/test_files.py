import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from roompulse.errors import DatabaseLostError
from roompulse.store.files import OpenFiles


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "roompulse.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    """The connection that writes, beside one that reads; a checkpoint follows each 10 pages."""
    with closing(sqlite3.connect(path)) as connection, closing(sqlite3.connect(path)) as reader:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA wal_autocheckpoint=10")
        connection.execute("CREATE TABLE noise (bytes BLOB)")
        connection.commit()
        reader.execute("SELECT * FROM noise").fetchall()
        yield connection


@pytest.fixture
def files(path: Path, connection: sqlite3.Connection) -> Iterator[OpenFiles]:
    files = OpenFiles(path)
    files.opened()
    with closing(files):
        yield files


def write(connection: sqlite3.Connection, size: int) -> None:
    with connection:
        connection.execute("INSERT INTO noise VALUES (randomblob(?))", [size])


def test_what_a_checkpoint_writes_is_no_fault(connection: sqlite3.Connection, files: OpenFiles, path: Path) -> None:
    before, seen = path.stat().st_size, set[int]()
    for _ in range(50):
        files.check()
        write(connection, 10_000)
        files.wrote()
        seen.add(path.stat().st_size)
    assert len(seen) > 5
    assert max(seen) > before


@pytest.mark.parametrize("statement", ["PRAGMA wal_checkpoint(PASSIVE)", "PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM"])
def test_nor_is_what_is_done_outside_of_a_transaction(
    connection: sqlite3.Connection, files: OpenFiles, statement: str
) -> None:
    for _ in range(3):
        write(connection, 100)
        files.wrote()
        connection.execute(statement).fetchall()
        files.wrote()
    files.check()


def other_content(path: Path) -> None:
    path.write_bytes(path.read_bytes() + bytes(4096))


def text(path: Path) -> None:
    path.write_text("not a database")


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("overwrite", [other_content, text, empty])
def test_one_that_is_overwritten_while_a_transaction_runs_is_lost(
    connection: sqlite3.Connection, files: OpenFiles, path: Path, overwrite: Callable[[Path], None]
) -> None:
    files.check()
    write(connection, 100)
    overwrite(path)
    for _ in range(2):
        with pytest.raises(DatabaseLostError, match="overwritten"):
            files.wrote()
    with pytest.raises(DatabaseLostError, match="overwritten"):
        files.check()


def test_one_that_is_moved_while_a_transaction_runs_is_lost(
    connection: sqlite3.Connection, files: OpenFiles, path: Path
) -> None:
    files.check()
    write(connection, 100)
    path.rename(path.with_name("moved.db"))
    with pytest.raises(DatabaseLostError, match="moved"):
        files.wrote()


def test_sqlite_keeps_its_locks(connection: sqlite3.Connection, files: OpenFiles, path: Path) -> None:
    for _ in range(3):
        files.check()
        write(connection, 100_000)
        files.wrote()
    other = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM noise').fetchall()"
    subprocess.run([sys.executable, "-c", other, str(path)], check=True)
    # The last process on the database deletes its log when it closes it.
    assert path.with_name("roompulse.db-wal").exists()
    files.check()
