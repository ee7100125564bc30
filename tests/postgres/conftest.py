"""Settings of workers on a database of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from roompulse.settings import Settings
from tests.postgres_server import database


@pytest.fixture
def settings(postgres_url: str, tmp_path: Path) -> Iterator[Settings]:
    with database(postgres_url) as url:
        yield Settings(data=tmp_path, database_url=url)
