"""Keys: the shown text and the stored digest."""

import re
from pathlib import Path

import pytest

from roompulse.access import keys as module
from roompulse.access.keys import MAX_NAME_LENGTH, NotAdded, add_key, make_key
from roompulse.access.model import KEY_KINDS, KeyKind
from roompulse.access.registry import AccessRegistry
from roompulse.access.store import AccessStore
from roompulse.settings import Settings
from tests.access import new_key, stored
from tests.builders import NOW
from tests.conftest import Clock
from tests.unit.access.test_registry import store

__all__ = ["store"]


def test_a_key_is_of_an_id_and_of_chance() -> None:
    made = [make_key("ingest", "phones", NOW) for _ in range(100)]
    for key, shown in made:
        assert re.fullmatch(r"rp_[a-z0-9]{10}_[A-Za-z0-9_-]{43}", shown)
        assert shown.split("_")[1] == key.id
    assert len({key.id for key, _ in made}) == len({shown for _, shown in made}) == 100


@pytest.mark.parametrize("kind", ["ingest", "read"])
async def test_who_shows_the_key_has_it_whatever_is_in_its_secret(
    store: AccessStore, kind: KeyKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.token_urlsafe", lambda size: "_a-_b_" + "c" * size)
    key, shown = await add_key(store, kind, "phones", NOW)
    registry = AccessRegistry(Settings(), store, Clock())
    await registry.reload()
    assert registry.key(shown, kind) == key
    for wrong in (shown + "_", shown[:-1], shown.upper(), shown[3:], f"rp_{key.id}", f"rp_{key.id}_", "rp__", ""):
        assert registry.key(wrong, kind) is None
    for other in set(KEY_KINDS) - {kind}:
        assert registry.key(shown, other) is None


async def test_a_key_that_signs_tokens_is_none_to_be_shown(store: AccessStore) -> None:
    _, shown = await add_key(store, "token", "tokens", NOW)
    registry = AccessRegistry(Settings(), store, Clock())
    await registry.reload()
    for kind in KEY_KINDS:
        assert registry.key(shown, kind) is None


@pytest.mark.parametrize("kind", ["ingest", "read"])
async def test_the_database_does_not_have_what_is_shown(tmp_path: Path, kind: KeyKind) -> None:
    settings = Settings(data=tmp_path)
    _, shown = await new_key(settings, kind)
    assert b"a program" in stored(settings)
    assert shown.split("_", 2)[2].encode() not in stored(settings)


@pytest.mark.parametrize(
    "name", ["", " ", "a ", " a", "a\n", "a\x1b[31mb", "a\u202eb", "\ud800", "n" * (MAX_NAME_LENGTH + 1)]
)
async def test_a_name_is_fit_to_be_read(store: AccessStore, name: str) -> None:
    with pytest.raises(NotAdded, match="name must"):
        await add_key(store, "ingest", name, NOW)
    assert (await store.load()).keys == {}


async def test_names_may_be_in_any_script_and_the_same(store: AccessStore) -> None:
    for name in ("n" * MAX_NAME_LENGTH, "電話 (Tōkyō)", "電話 (Tōkyō)"):
        await add_key(store, "ingest", name, NOW)
    assert len((await store.load()).keys) == 3


async def test_there_are_so_many_keys_and_no_more(store: AccessStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEYS", 2)
    first, _ = await add_key(store, "ingest", "one", NOW)
    await add_key(store, "read", "two", NOW)
    with pytest.raises(NotAdded, match="there are 2 keys already"):
        await add_key(store, "ingest", "three", NOW)
    await store.remove_key(first.id)
    await add_key(store, "ingest", "three", NOW)
