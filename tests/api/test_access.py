"""Who gets in where keys are asked for."""

from collections.abc import AsyncIterator

import httpx
import pytest

from roompulse.access.database import AccessDatabase
from roompulse.access.gate import digest_of
from roompulse.access.model import Key, KeyKind
from roompulse.access.store import AccessStore
from roompulse.app import create_app
from roompulse.settings import Settings
from tests.builders import NOW
from tests.conftest import Clock, client_of


async def add_key(settings: Settings, kind: KeyKind, shown: str = "rp_k1_secret") -> None:
    database = AccessDatabase(settings)
    async with database.open():
        key_id = shown.split("_")[1]
        await AccessStore(database).add_key(Key(key_id, kind, "a program", digest_of(shown), NOW))


@pytest.fixture
async def reading(settings: Settings, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that asks readers for a key."""
    await add_key(settings, "read")
    async with client_of(create_app(settings, clock)) as client:
        yield client


async def test_without_keys_nobody_is_asked(client: httpx.AsyncClient) -> None:
    assert (await client.get("/report/rooms")).status_code == 200


async def test_a_reader_needs_the_key(reading: httpx.AsyncClient) -> None:
    for shown in (None, "rp_k1_other", "rp_k2_secret", "k1_secret", "rp_k1", ""):
        headers = {} if shown is None else {"Authorization": f"Bearer {shown}"}
        answer = await reading.get("/report/rooms", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["code"] == 401
    answer = await reading.get("/report/rooms", headers={"Authorization": "Bearer rp_k1_secret"})
    assert answer.status_code == 200
