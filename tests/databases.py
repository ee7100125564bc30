"""Empty databases of this version: migrated once in a process, and copied from then on."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from roompulse.access.database import AccessDatabase
from roompulse.settings import Settings
from roompulse.store.engine import Database


def make_databases(data: Path) -> None:
    """Make the folder, with the databases of a first start."""
    data.mkdir(parents=True)
    for name, content in _migrated().items():
        (data / name).touch(0o600)
        (data / name).write_bytes(content)


@cache
def _migrated() -> dict[str, bytes]:
    with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as thread:
        # In another thread, as an event loop may run in this one.
        thread.submit(asyncio.run, _migrate(Settings(data=Path(folder)))).result()
        return {path.name: path.read_bytes() for path in Path(folder).glob("*.db")}


async def _migrate(settings: Settings) -> None:
    async with Database(settings).open(), AccessDatabase(settings).open():
        pass
