"""Which callers are admitted, and whose streams end."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from roompulse.access.database import AccessDatabase
from roompulse.access.keys import digest_of
from roompulse.access.model import ANYBODY, Caller, Key, KeyKind
from roompulse.access.registry import AccessRegistry
from roompulse.access.revocation import OpenSessions
from roompulse.access.store import AccessStore
from roompulse.settings import Settings
from tests.builders import NOW
from tests.conftest import Clock

READER = Caller("a wall", proof="k1")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[AccessStore]:
    database = AccessDatabase(Settings(data=tmp_path))
    async with database.open():
        yield AccessStore(database)


def key(key_id: str, kind: KeyKind = "read") -> Key:
    return Key(key_id, kind, "a program", digest_of(f"rp_{key_id}_secret"), NOW)


async def test_who_was_let_in_by_a_key_is_admitted_until_it_is_removed(store: AccessStore) -> None:
    registry = AccessRegistry(Settings(), store, Clock())
    for key_id in ("k1", "k2"):
        await store.add_key(key(key_id))
    await registry.reload()
    assert registry.admits(READER)
    await store.remove_key("k1")
    await registry.reload()
    assert not registry.admits(READER)


async def test_whom_nobody_asked_is_admitted_until_somebody_does(store: AccessStore) -> None:
    registry = AccessRegistry(Settings(), store, Clock())
    await registry.reload()
    assert registry.admits(ANYBODY)
    await store.add_key(key("k1"))
    await registry.reload()
    assert not registry.admits(ANYBODY)
    assert registry.admits(Caller("ada", "viewer")), "a caller admitted by a proxy has no credentials"


async def test_a_key_for_something_else_admits_no_reader(store: AccessStore) -> None:
    registry = AccessRegistry(Settings(host="192.0.2.1"), store, Clock())
    await store.add_key(key("k1", "ingest"))
    await registry.reload()
    assert not registry.admits(READER)


async def test_a_reload_ends_what_those_look_at_who_are_not_admitted_any_more(store: AccessStore) -> None:
    registry = AccessRegistry(Settings(host="192.0.2.1"), store, Clock())
    await store.add_key(key("k1"))
    await store.add_key(key("k2"))
    await registry.reload()
    ended: list[str] = []
    with (
        registry.open_sessions.hold(READER, lambda: ended.append("one")),
        registry.open_sessions.hold(READER, lambda: ended.append("two")),
        registry.open_sessions.hold(Caller("another wall", proof="k2"), lambda: ended.append("another")),
    ):
        await registry.reload()
        assert ended == []
        await store.remove_key("k1")
        await registry.reload()
        assert ended == ["one", "two"]


def test_who_left_is_not_shown_out() -> None:
    open_sessions, ended = OpenSessions(lambda _: False), list[str]()
    with open_sessions.hold(READER, lambda: ended.append("stays")):
        with open_sessions.hold(READER, lambda: ended.append("left")):
            pass
        open_sessions.review()
    open_sessions.review()
    assert ended == ["stays"]
