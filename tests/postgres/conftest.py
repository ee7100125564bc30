"""Settings and workers on a schema of a test's own."""

from pathlib import Path

import pytest

from roompulse.settings import Settings
from tests.postgres_server import schema_of


@pytest.fixture
def settings(postgres_url: str, tmp_path: Path) -> Settings:
    return Settings(data=tmp_path, database_url=schema_of(postgres_url))
