"""Sign-ins expire, are used, and make room."""

from collections.abc import AsyncIterator

import pytest

from roompulse.access.database import AccessDatabase
from roompulse.access.keys import digest_of
from roompulse.access.model import Caller
from roompulse.access.registry import AccessRegistry
from roompulse.access.sessions import MAX_PER_OPERATOR, OperatorSessions
from roompulse.access.store import AccessStore
from roompulse.settings import Settings
from tests.conftest import Clock
from tests.operators import add_operators, secret_of

DIGEST = digest_of(secret_of("ada"))


class World:
    """ada, an admin, in one browser since NOW."""

    def __init__(self, settings: Settings, clock: Clock, store: AccessStore) -> None:
        self.store = store
        self.registry = AccessRegistry(settings, store, clock)
        self.sign_ins = OperatorSessions(self.registry, store, clock, settings)

    async def is_signed_in(self, digest: bytes = DIGEST) -> bool:
        await self.registry.reload()
        return self.registry.sign_in(digest) is not None

    async def stored(self) -> dict[bytes, float]:
        """When each sign-in was used, as the database has it."""
        return {digest: one.used_at for digest, one in (await self.store.load()).sign_ins.items()}


@pytest.fixture
async def world(settings: Settings, clock: Clock) -> AsyncIterator[World]:
    await add_operators(settings, ada="admin")
    database = AccessDatabase(settings)
    async with database.open():
        world = World(settings, clock, AccessStore(database))
        await world.registry.reload()
        yield world


async def test_a_sign_in_that_is_not_used_ends(world: World, settings: Settings, clock: Clock) -> None:
    clock.advance(settings.session_idle - 1)
    assert await world.is_signed_in()
    clock.advance(1)
    assert not await world.is_signed_in()


async def test_one_that_is_used_ends_at_the_end_of_its_lifetime(world: World, settings: Settings, clock: Clock) -> None:
    for _ in range(int(settings.session_lifetime / settings.session_idle)):
        world.registry.use(DIGEST)
        clock.advance(settings.session_idle - 1)
        assert await world.is_signed_in()
    world.registry.use(DIGEST)
    clock.advance(settings.session_idle - 1)
    assert not await world.is_signed_in()


async def test_who_looks_at_a_stream_uses_the_sign_in(world: World, settings: Settings, clock: Clock) -> None:
    ended = []
    with world.registry.open_sessions.hold(Caller("ada", "admin", DIGEST), lambda: ended.append(clock())):
        for _ in range(3):
            clock.advance(settings.session_idle - 1)
            await world.registry.reload()
        assert ended == []
    clock.advance(settings.session_idle)
    assert not await world.is_signed_in()


async def test_what_is_looked_at_ends_with_the_lifetime(world: World, settings: Settings, clock: Clock) -> None:
    ended = []
    with world.registry.open_sessions.hold(Caller("ada", "admin", DIGEST), lambda: ended.append(clock())):
        while clock() < world.registry.known.sign_ins[DIGEST].started_at + settings.session_lifetime:
            assert ended == []
            clock.advance(settings.session_idle / 2)
            await world.registry.reload()
        assert ended


async def test_use_is_written_down_so_that_a_restart_knows_it(world: World, clock: Clock) -> None:
    clock.advance(1_000)
    world.registry.use(DIGEST)
    await world.sign_ins.save()
    assert await world.stored() == {DIGEST: clock()}


async def test_what_was_not_used_is_not_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.store, "used", None)
    await world.sign_ins.save()


async def test_expired_sign_ins_are_deleted(world: World, settings: Settings, clock: Clock) -> None:
    clock.advance(settings.session_idle - 1)
    await world.sign_ins.save()
    assert await world.stored()
    clock.advance(1)
    await world.sign_ins.save()
    assert await world.stored() == {}


async def test_a_new_sign_in_has_256_bits_and_replaces_the_one_before(world: World) -> None:
    secret = await world.sign_ins.begin("ada", secret_of("ada"))
    assert len(secret) >= 43
    assert set(await world.stored()) == {digest_of(secret)}


async def test_what_was_shown_and_is_none_is_no_sign_in_afterwards(world: World) -> None:
    secret = await world.sign_ins.begin("ada", "chosen-by-somebody-else")
    assert set(await world.stored()) == {DIGEST, digest_of(secret)}


async def test_the_one_not_used_for_longest_makes_room(world: World, clock: Clock) -> None:
    digests = []
    for _ in range(MAX_PER_OPERATOR):
        clock.advance(1)
        digests.append(digest_of(await world.sign_ins.begin("ada", None)))
    assert set(await world.stored()) == set(digests), "the first one, which the world began with, made room"
    world.registry.use(digests[0])
    clock.advance(1)
    digests.append(digest_of(await world.sign_ins.begin("ada", None)))
    assert set(await world.stored()) == set(digests) - {digests[1]}


async def test_other_operators_have_their_own_room(world: World, settings: Settings) -> None:
    await add_operators(settings, bob="viewer")
    await world.registry.reload()
    for _ in range(MAX_PER_OPERATOR):
        await world.sign_ins.begin("ada", None)
    assert await world.is_signed_in(digest_of(secret_of("bob")))
