"""Which senders may post, where they have to authenticate."""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import msgspec
import pytest

from roompulse.access.keys import make_key
from roompulse.access.model import Key
from roompulse.access.tokens import sign_token
from roompulse.report.model import Connection, Device, Entry
from roompulse.settings import Settings
from tests.access import bearer, new_key, remove_key, stored
from tests.api import assert_problem, serving
from tests.builders import NOW, REFERENCE, body, stream
from tests.conftest import Clock
from tests.process import soon

ROOM, USER = "room-1", "u1"
"""Those of REFERENCE."""


class Access:
    """Keys, and an application that requires them."""

    def __init__(self, client: httpx.AsyncClient, ingest: str, signing: Key, read: str) -> None:
        self.client = client
        self.ingest = ingest
        self.signing = signing
        self.read = read

    def token(self, room: str = ROOM, user: str = USER, ttl: float = 60) -> str:
        return sign_token(self.signing, room, user, NOW + ttl)

    async def post(self, shown: str | None = None, content: bytes = REFERENCE) -> httpx.Response:
        headers = {} if shown is None else bearer(shown)
        return await self.client.post("/report/metrics", content=content, headers=headers)

    async def post_with(self, shown: Any, content: bytes = REFERENCE) -> httpx.Response:
        """Show it in the body, as `navigator.sendBeacon` has to."""
        return await self.post(content=with_token(shown, content))


def with_token(shown: Any, content: bytes = REFERENCE) -> bytes:
    return json.dumps(json.loads(content) | {"token": shown}).encode()


async def build(settings: Settings, clock: Clock) -> AsyncIterator[Access]:
    _, ingest = await new_key(settings, "ingest")
    _, read = await new_key(settings, "read")
    signing, _ = await new_key(settings, "token")
    async with serving(settings, clock) as client:
        yield Access(client, ingest, signing, read)


@pytest.fixture
async def access(settings: Settings, clock: Clock) -> AsyncIterator[Access]:
    async for access in build(settings, clock):
        yield access


@pytest.fixture
async def slow(settings: Settings, clock: Clock) -> AsyncIterator[Access]:
    """One that takes five reports of a sender, and then one a second."""
    async for access in build(msgspec.structs.replace(settings, sender_rate=1), clock):
        yield access


Show = Callable[..., Awaitable[httpx.Response]]
WAYS = [pytest.param(Access.post, id="header"), pytest.param(Access.post_with, id="body")]


async def rooms(access: Access) -> list[str]:
    answer = await access.client.get("/report/rooms", headers=bearer(access.read))
    data: list[str] = answer.json()["data"]
    return data


@pytest.mark.parametrize("show", WAYS)
async def test_who_shows_an_ingest_key_posts_for_everybody(access: Access, show: Show) -> None:
    assert (await show(access, access.ingest)).status_code == 200
    answer = await access.post(access.ingest, body(user_id="u2", room_id="room-2"))
    assert answer.status_code == 200
    assert await rooms(access) == ["room-1", "room-2"]


@pytest.mark.parametrize("show", WAYS)
async def test_who_shows_a_room_token_posts_for_its_user_in_its_room(access: Access, show: Show) -> None:
    assert (await show(access, access.token())).status_code == 200
    assert await rooms(access) == ["room-1"]


@pytest.mark.parametrize("show", WAYS)
@pytest.mark.parametrize(("claims", "named"), [(("room-2", USER), "$.room_id"), ((ROOM, "u2"), "$.user_id")])
async def test_a_token_for_somebody_else_is_403_that_names_the_field(
    access: Access, show: Show, claims: tuple[str, str], named: str
) -> None:
    answer = await show(access, access.token(*claims))
    assert_problem(answer, 403, named)
    assert "www-authenticate" not in answer.headers
    assert await rooms(access) == []


async def test_a_token_lets_report_what_is_received_of_others(access: Access) -> None:
    content = body(metrics=[Entry("u2", [stream(direction="recv")])])
    assert (await access.post(access.token(), content)).status_code == 200


@pytest.mark.parametrize("show", WAYS)
async def test_a_token_sends_for_its_own_user_alone(access: Access, show: Show) -> None:
    victim = [stream("cam", "recv"), stream("cam", "send")]
    content = body(metrics=[Entry(USER, [stream()]), Entry("victim", victim)])
    assert_problem(await show(access, access.token(), content), 403, "$.metrics[1].streams[1].direction: ")
    assert await rooms(access) == []
    assert (await show(access, access.ingest, content)).status_code == 200


async def test_users_that_a_token_makes_up_are_bounded_and_keep_no_user_out(settings: Settings, clock: Clock) -> None:
    async for access in build(msgspec.structs.replace(settings, max_reported_users=2, max_room_users=4), clock):
        made_up = [body(metrics=[Entry(f"x{number}", [])]) for number in range(3)]
        answers = [await access.post(access.token(), content) for content in made_up]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert_problem(answers[2], 429, "$.metrics: a room token brings in no more than 2 users")
        answers = [await access.post(access.token(user=user), body(user_id=user)) for user in ("u2", "u3", "u4", "u5")]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]


async def test_what_a_user_says_of_itself_is_not_replaced_by_others(access: Access) -> None:
    own = Entry("u2", [], device=Device(type="phone"), user_name="Ada", connection=Connection(protocol="tcp"))
    others = Entry("u2", [], device=Device(type="desktop"), user_name="Eve", connection=Connection(protocol="udp"))

    async def shown() -> list[Any]:
        answer = await access.client.get(f"/report/metrics/{ROOM}/u2", headers=bearer(access.read))
        user = answer.json()["data"]
        return [user["user_name"], user["device"]["type"], user["connection"]["protocol"]]

    await access.post(access.token(), body(metrics=[others]))
    assert await shown() == ["Eve", "desktop", "udp"]
    await access.post(access.token(user="u2"), body(user_id="u2", metrics=[own]))
    await access.post(access.token(), body(metrics=[others]))
    assert await shown() == ["Ada", "phone", "tcp"]


@pytest.mark.parametrize("show", WAYS)
async def test_what_lets_nobody_post_is_401(access: Access, show: Show, clock: Clock) -> None:
    stranger, _ = make_key("token", "a stranger", NOW)
    wrong = [
        "",
        "rp_",
        access.ingest[:-1],
        access.read,
        access.signing.secret.decode(),
        access.token(ttl=0),
        access.token(ttl=25 * 3600),
        sign_token(stranger, ROOM, USER, NOW + 60),
        access.token()[:-1],
    ]
    for shown in wrong:
        answer = await show(access, shown)
        assert_problem(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert shown == "" or shown not in answer.text
    assert await rooms(access) == []


@pytest.mark.parametrize("shown", [None, 5, True, ["x"], {"x": 1}, ""])
async def test_a_token_in_the_body_is_a_string(access: Access, shown: Any) -> None:
    assert_problem(await access.post_with(shown), 401, "send an ingest key or a room token")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[" * 100_000, b'{"x":' * 100_000, b"[]", b"null", b'{"token":"\xff"}', REFERENCE]
)
async def test_who_shows_nothing_is_told_that_and_nothing_else(access: Access, content: bytes) -> None:
    assert_problem(await access.post(content=content), 401, "send an ingest key or a room token")


@pytest.mark.parametrize("header", ["Basic dTE6cHc=", "Bearer", "bearer", "Token x", "", "Bearer\xe9"])
async def test_a_header_that_shows_nothing_is_401(access: Access, header: str) -> None:
    answer = await access.client.post(
        "/report/metrics", content=REFERENCE, headers=[(b"authorization", header.encode("latin-1"))]
    )
    assert_problem(answer, 401)


async def test_the_header_counts_before_the_body(access: Access) -> None:
    assert (await access.post(access.ingest, with_token("wrong"))).status_code == 200
    assert_problem(await access.post("wrong", with_token(access.ingest)), 401)


async def test_the_word_bearer_is_of_any_case(access: Access) -> None:
    for scheme in ("bearer", "BEARER", "Bearer "):
        headers = {"Authorization": f"{scheme} {access.ingest}"}
        answer = await access.client.post("/report/metrics", content=REFERENCE, headers=headers)
        assert answer.status_code == 200


async def test_a_wrong_key_in_the_header_is_told_before_the_body_has_come(access: Access) -> None:
    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        raise AssertionError("the body is read")

    answer = await access.client.post("/report/metrics", content=never(), headers=bearer("rp_x_y"))
    assert_problem(answer, 401)


async def test_a_token_is_taken_until_it_expires(access: Access, clock: Clock) -> None:
    shown = access.token(ttl=60)
    clock.advance(59)
    assert (await access.post(shown)).status_code == 200
    clock.advance(1)
    assert_problem(await access.post(shown), 401, "expired")


async def test_what_a_report_shows_is_no_part_of_it(access: Access) -> None:
    for shown in (access.token(), access.ingest):
        assert (await access.post_with(shown)).status_code == 200
        answer = await access.client.get("/report/metrics/room-1", headers=bearer(access.read))
        assert "users" in answer.json()["data"]
        assert shown not in answer.text
        assert '"token"' not in answer.text


async def test_no_secret_is_logged_or_stored(
    access: Access, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown = [access.token(), access.ingest, access.token("room-2"), access.token(ttl=0), "rp_k1_wrong"]
    for one in shown:
        await access.post(one)
        await access.post_with(one)
    assert b"room-1" in stored(settings)
    for one in shown:
        assert one not in caplog.text
        assert one.encode() not in stored(settings)


async def test_without_keys_a_token_is_a_field_that_is_unknown(client: httpx.AsyncClient) -> None:
    for content in (with_token("nonsense"), with_token(5)):
        assert (await client.post("/report/metrics", content=content, headers=bearer("x"))).status_code == 200


async def test_a_key_for_reading_alone_asks_no_sender(settings: Settings, clock: Clock) -> None:
    await new_key(settings, "read")
    async with serving(settings, clock) as client:
        assert (await client.post("/report/metrics", content=REFERENCE)).status_code == 200


async def test_open_on_purpose_asks_nobody(settings: Settings, clock: Clock) -> None:
    await new_key(settings, "ingest")
    async with serving(msgspec.structs.replace(settings, open=True), clock) as client:
        assert (await client.post("/report/metrics", content=REFERENCE)).status_code == 200


async def test_elsewhere_than_on_loopback_senders_are_asked_though_there_is_no_key(
    settings: Settings, clock: Clock
) -> None:
    async with serving(msgspec.structs.replace(settings, host="192.0.2.1"), clock) as client:
        assert_problem(await client.post("/report/metrics", content=REFERENCE), 401)


# How much


async def posts_until_told_to_wait(post: Callable[[], Awaitable[httpx.Response]], status: int = 200) -> int:
    for count in range(100):
        answer = await post()
        if answer.status_code == 429:
            assert int(answer.headers["retry-after"]) >= 1
            return count
        assert answer.status_code == status
    raise AssertionError("the client was not asked to wait")


@pytest.mark.one_process  # SENDER_RATE is of each worker
async def test_a_user_in_a_room_has_a_rate_of_its_own_whatever_its_tokens(slow: Access) -> None:
    assert await posts_until_told_to_wait(lambda: slow.post(slow.token(ttl=60))) == 5
    assert_problem(await slow.post(slow.token(ttl=61)), 429)
    assert (await slow.post(slow.token(user="u2"), body(user_id="u2"))).status_code == 200
    assert (await slow.post(slow.ingest)).status_code == 200


@pytest.mark.one_process  # SENDER_RATE is of each worker
async def test_a_key_has_a_rate_of_its_own(slow: Access) -> None:
    assert await posts_until_told_to_wait(lambda: slow.post(slow.ingest)) == 5
    assert (await slow.post(slow.token())).status_code == 200


@pytest.mark.one_process  # SENDER_RATE is of each worker
@pytest.mark.parametrize("show", WAYS)
async def test_who_tries_many_keys_is_told_to_wait(slow: Access, show: Show) -> None:
    tries = iter(range(100))
    assert await posts_until_told_to_wait(lambda: show(slow, f"rp_k1_{next(tries)}"), 401) == 5
    assert (await show(slow, slow.ingest)).status_code == 200, "another client at its address is not"


@pytest.mark.one_process  # SENDER_RATE is of each worker
async def test_a_report_that_is_not_the_senders_to_post_counts(slow: Access) -> None:
    assert await posts_until_told_to_wait(lambda: slow.post(slow.token("room-2")), 403) == 5


# While it runs


async def test_a_key_that_is_added_or_removed_is_followed(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roompulse.access.registry.RELOAD_EVERY", 0.01)
    async with serving(settings, clock) as client:

        async def status(shown: str) -> int:
            return (await client.post("/report/metrics", content=REFERENCE, headers=bearer(shown))).status_code

        async def becomes(shown: str, code: int) -> None:
            async def look() -> bool:
                return await status(shown) == code

            await soon(look)

        assert await status("nobody") == 200
        signing, _ = await new_key(settings, "token")
        shown = sign_token(signing, ROOM, USER, NOW + 60)
        await becomes("nobody", 401)
        assert await status(shown) == 200
        await new_key(settings, "ingest")
        await remove_key(settings, signing)
        await becomes(shown, 401)


async def test_an_answer_to_a_wrong_token_does_not_say_which_rooms_there_are(access: Access) -> None:
    await access.post(access.ingest)
    answers = [await access.post(access.token(room), body(room_id="x")) for room in ("room-1", "room-2")]
    assert answers[0].text == answers[1].text
