"""Room tokens of the demo call."""

import httpx
import msgspec
import pytest

from roompulse.settings import Settings
from roompulse.web.pages.demo import TOKEN_LIFE, USERS
from tests.access import bearer, new_key
from tests.api import assert_problem, serving
from tests.builders import body
from tests.conftest import Clock

ROOM = "demo-call-0a1b2c"
TOKENS = f"/demo/call/tokens/{ROOM}"


@pytest.fixture
def demo(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, demo=True)


async def post(client: httpx.AsyncClient, token: str, user: str = "ada", room: str = ROOM) -> httpx.Response:
    return await client.post("/report/metrics", content=body(user_id=user, room_id=room), headers=bearer(token))


@pytest.mark.one_process  # its tokens are signed by a key of the process
async def test_a_token_is_for_one_participant_in_its_own_room_and_not_for_long(demo: Settings, clock: Clock) -> None:
    await new_key(demo, "ingest")
    async with serving(demo, clock) as client:
        answer = await client.get(TOKENS)
        assert answer.headers["cache-control"] == "no-store"
        tokens = answer.json()
        assert set(tokens) == set(USERS)
        assert (await post(client, tokens["ada"])).status_code == 200
        assert_problem(await post(client, tokens["ada"], user="bo"), 403, "$.user_id")
        assert_problem(await post(client, tokens["ada"], room="room-1"), 403, "$.room_id")
        clock.advance(TOKEN_LIFE)
        assert_problem(await post(client, tokens["ada"]), 401, "expired")
        assert (await post(client, (await client.get(TOKENS)).json()["ada"])).status_code == 200


async def test_another_process_takes_none_of_them(demo: Settings, clock: Clock) -> None:
    await new_key(demo, "ingest")
    async with serving(demo, clock) as client:
        token = (await client.get(TOKENS)).json()["ada"]
    async with serving(demo, clock) as client:
        assert_problem(await post(client, token), 401, "kid")


async def test_who_asks_nobody_gives_none_out(demo: Settings, clock: Clock) -> None:
    async with serving(demo, clock) as client:
        assert (await client.get(TOKENS)).json() == {}


@pytest.mark.parametrize(
    "room", ["room-1", "demo-call-", "demo-call-0a1b2c0", "demo-call-0A1B2C", "demo-call-0a1b2c%0A"]
)
async def test_there_are_none_for_rooms_of_other_calls(demo: Settings, clock: Clock, room: str) -> None:
    await new_key(demo, "ingest")
    async with serving(demo, clock) as client:
        assert (await client.get(f"/demo/call/tokens/{room}")).status_code == 404


async def test_only_who_may_look_gets_them(demo: Settings, clock: Clock) -> None:
    _, shown = await new_key(demo, "read")
    async with serving(demo, clock) as client:
        assert (await client.get(TOKENS)).status_code == 401
        assert (await client.get(TOKENS, headers=bearer(shown))).status_code == 200


async def test_without_the_demo_there_are_none(settings: Settings, clock: Clock) -> None:
    await new_key(settings, "ingest")
    async with serving(settings, clock) as client:
        assert (await client.get(TOKENS)).status_code == 404
