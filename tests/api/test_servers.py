"""A media server's reports of a whole room, in answers, on pages and after a restart."""

import csv
from io import StringIO
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from roompulse.report.model import Entry
from roompulse.settings import Settings
from tests.access import bearer, new_key
from tests.api import assert_problem, data, serving
from tests.api.test_get import NO_MORE_AUDIO, NO_MORE_VIDEO
from tests.api.test_pages import page, post, words
from tests.api.test_posting import Access, access  # noqa: F401  (a fixture)
from tests.builders import body, network, stream
from tests.conftest import Clock

LOSSY = network(packet_loss=6)
TIME = 1746616000


def of_server(*entries: Entry, **fields: Any) -> bytes:
    return body(**({"user_id": "sfu-1", "role": "server", "metrics": list(entries) or CALL} | fields))


def gets(sender_id: str | None, **parts: Any) -> Any:
    return stream("camera", "recv", sender_id=sender_id, **parts)


CALL = [
    Entry("u1", [stream(), gets("u2", network=LOSSY), gets("u3")]),
    Entry("u2", [stream(), gets("u1")]),
    Entry("u3", [stream()]),
]
FIGURES = {
    "video": {"timestamp": None, "frame_rate": 25, "width": 1280, "height": 720, "bitrate": 1200} | NO_MORE_VIDEO,
    "audio": {"timestamp": None, "sample_rate": 48000, "channels": 2, "bitrate": 64} | NO_MORE_AUDIO,
    "network": {"rtt": 45, "packet_loss": 6, "jitter": 8},
}


async def test_one_body_reports_a_whole_room(kept: httpx.AsyncClient, kept_clock: Clock, room_id: str) -> None:
    await post(kept, of_server(room_id=room_id))
    room = await data(kept, f"/report/metrics/{room_id}")
    assert [user["user_id"] for user in room["users"]] == ["u1", "u2", "u3"]
    assert room["aggregate"]["stream_count"] == 6
    u1 = room["users"][0]
    assert [(one["user_id"], one["level"]) for one in u1["receiving"]] == [("u2", "fair"), ("u3", "good")]
    assert u1["reporters"] == ["sfu-1"]
    received, _, sent = u1["streams"]
    assert received == FIGURES | {
        "stream_id": "camera",
        "direction": "recv",
        "reporter_id": "sfu-1",
        "from": "u2",
        "received_at": kept_clock.now,
        "quality": received["quality"],
    }
    assert "from" not in sent
    assert_problem(await kept.get(f"/report/metrics/{room_id}/sfu-1"), 404)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"role": "sfu"}, "$.role: must be client or server, not 'sfu'"),
        ({"role": 1}, "$.role: "),
        (
            {"metrics": [Entry("u1", []), Entry("u1", [stream(), gets(" u2")])]},
            "$.metrics[1].streams[1].from: must not begin or end with a blank",
        ),
        ({"metrics": [Entry("u1", [gets("")])]}, "$.metrics[0].streams[0].from: "),
    ],
)
async def test_what_is_wrong_is_named(kept: httpx.AsyncClient, fields: dict[str, Any], fault: str) -> None:
    assert_problem(await kept.post("/report/metrics", content=of_server(**fields)), 400, fault)


@pytest.mark.parametrize("role", ["client", None])
async def test_a_client_is_one_that_does_not_say_otherwise(
    kept: httpx.AsyncClient, room_id: str, role: str | None
) -> None:
    await post(kept, body(room_id=room_id, role=role))
    assert (await data(kept, f"/report/metrics/{room_id}/u1"))["reporters"] == ["u1"]


async def test_a_room_token_is_for_no_server(access: Access) -> None:  # noqa: F811
    answer = await access.post(access.token(), of_server(user_id="u1"))
    assert_problem(answer, 403, "$.role: a room token is for one user")


async def test_a_server_with_a_key_reports_as_many_users_as_a_room_has(settings: Settings, clock: Clock) -> None:
    _, shown = await new_key(settings, "ingest")
    few = replace(settings, max_reported_users=1)
    async with serving(few, clock) as client:
        answer = await client.post("/report/metrics", content=of_server(), headers=bearer(shown))
        assert answer.status_code == 200, answer.text


async def test_users_have_the_history_that_the_server_reported(
    kept: httpx.AsyncClient, kept_clock: Clock, room_id: str
) -> None:
    await post(kept, of_server(room_id=room_id))
    await post(kept, body(room_id=room_id, user_id="u1", metrics=[Entry("u2", [stream(direction="recv")])]))
    kept_clock.advance(1)

    async def found(user_id: str, query: str = "") -> list[tuple[str | None, ...]]:
        samples = await data(kept, f"/report/history/{room_id}/{user_id}?{query}")
        return [(one["user_id"], one["direction"], one["reporter_id"], one["receiver_id"]) for one in samples]

    by_server = [("u2", "recv", "sfu-1", "u1"), ("u3", "recv", "sfu-1", "u1")]
    assert await found("u1") == [("u1", "send", "sfu-1", None), *by_server, ("u2", "recv", "u1", "u1")]
    assert await found("u1", "about=u2") == [by_server[0], ("u2", "recv", "u1", "u1")]
    assert await found("u1", "about=u2&reporter_id=sfu-1") == by_server[:1]
    assert await found("u1", "reporter_id=u1") == [("u2", "recv", "u1", "u1")]
    assert await found("u1", "about=u3&step=10") == by_server[1:]
    assert await found("u3") == [("u3", "send", "sfu-1", None)]
    assert_problem(await kept.get(f"/report/history/{room_id}/sfu-1"), 404)


async def test_exports_say_who_receives(kept: httpx.AsyncClient, kept_clock: Clock, room_id: str) -> None:
    await post(kept, of_server(room_id=room_id))
    kept_clock.advance(1)
    rows = list(csv.DictReader(StringIO((await kept.get(f"/rooms/{room_id}/users.csv")).text)))
    assert [(row["user_id"], row["reporter_id"], row["receiver_id"]) for row in rows[:2]] == [
        ("u1", "sfu-1", ""),
        ("u2", "sfu-1", "u1"),
    ]


async def test_a_room_is_the_same_after_a_restart(settings: Settings, clock: Clock) -> None:
    async with serving(settings, clock) as client:
        await post(client, of_server(labels={"region": "eu"}, room_name="Standup"))
        clock.advance(5)
        await post(client, of_server(CALL[0], report_time=TIME + 5))
        await post(client, body(user_id="u3"))
        await post(client, of_server(report_time=TIME + 6, room_id="room-2"))
        before = await data(client, "/report/metrics/room-1")
    async with serving(settings, clock) as client:
        assert await data(client, "/report/metrics/room-1") == before
        await post(client, of_server(Entry("u9", []), report_time=TIME))
        assert await data(client, "/report/metrics/room-1") == before, "it is late"


async def test_pages_say_that_the_server_measured_it(kept: httpx.AsyncClient, kept_clock: Clock, room_id: str) -> None:
    began = kept_clock.now
    await post(kept, of_server(room_id=room_id))
    text = words(await page(kept, f"/rooms/{room_id}"))
    assert text.count("(measured by the server)") == 5
    assert "sfu-1" not in text
    html = await page(kept, f"/rooms/{room_id}/users/u1")
    text = words(html)
    assert "Measured by the server: this user's own uplink." in text
    assert "Measured by the server. If every sender is poor, suspect this user's downlink" in text
    assert "Measured by the server. If every receiver is poor" in text
    assert "camera chart measured by the server sfu-1" in text
    assert "/users/sfu-1" not in html
    assert f"history/{room_id}/u2?about=u1&amp;stream_id=camera&amp;direction=recv&amp;reporter_id=sfu-1" in html
    await post(kept, body(room_id=room_id, user_id="u1"))
    assert "Measured by the sender and by the server: this user's own uplink." in words(
        await page(kept, f"/rooms/{room_id}/users/u1")
    )
    kept_clock.advance(1)
    assert "measured by the server" in words(await page(kept, f"/rooms/{room_id}?at={began}"))


async def test_presence_is_that_of_the_users(kept: httpx.AsyncClient, kept_clock: Clock, room_id: str) -> None:
    await post(kept, of_server(room_id=room_id))
    kept_clock.advance(5)
    assert "Presence" in words(await page(kept, f"/rooms/{room_id}/users/u2"))


async def test_the_schema_names_role_and_from(kept: httpx.AsyncClient) -> None:
    schema = (await kept.get("/report/schema.json")).json()
    report = schema["$defs"]["Report"]["properties"]
    assert set(report["role"]["anyOf"][0]["enum"]) == {"client", "server"}
    assert "from" in schema["$defs"]["Stream"]["properties"]
    described = (await kept.get("/report/openapi.json")).json()["components"]["schemas"]["StreamMetrics"]
    assert "from" in described["properties"]
    assert "from" not in described["required"]
