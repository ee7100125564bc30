"""The answers about live rooms, key by key, and how long they stay."""

from typing import Any

import httpx
import msgspec
import pytest

from roompulse.report.model import Connection, Device, Entry, Event, Network
from roompulse.rooms.contract import LiveUser
from roompulse.rooms.user import STREAMS_AT_ONCE
from roompulse.settings import Settings
from roompulse.web.api.encoded_rooms import EncodedRooms
from tests.api import assert_problem, data, serving, url
from tests.builders import NOW, REFERENCE, audio, body, network, stream, video
from tests.conftest import Clock

QUALITY = {
    "score": 4.37,
    "level": "good",
    "terms": [
        {"term": "delay", "cost": 0.03, "value": 71, "unit": "ms"},
        {"term": "loss", "cost": 0.03, "value": 0.3, "unit": "%"},
    ],
}

NO_MORE_VIDEO = dict.fromkeys(("codec", "frames_dropped", "freeze_count", "freeze_duration", "content", "limited_by"))
NO_MORE_AUDIO = dict.fromkeys(("codec", "level", "muted", "concealed"))
"""The optional fields of a report that has none."""

U1: dict[str, Any] = {
    "user_id": "u1",
    "user_name": None,
    "sdk_version": "1.2.0",
    "device": None,
    "connection": None,
    "labels": None,
    "report_time": 1746616000,
    "received_at": NOW,
    "stale": False,
    "reporters": ["u1"],
    "quality": {"score": 4.37, "level": "good", "uplink": 4.37, "downlink": None, "reasons": []},
    "streams": [
        {
            "stream_id": "camera",
            "direction": "send",
            "reporter_id": "u1",
            "received_at": NOW,
            "video": {"timestamp": 1746616000, "frame_rate": 25, "width": 1280, "height": 720, "bitrate": 1200}
            | NO_MORE_VIDEO,
            "audio": {"timestamp": 1746616000, "sample_rate": 48000, "channels": 2, "bitrate": 64} | NO_MORE_AUDIO,
            "network": {"rtt": 45, "packet_loss": 0.3, "jitter": 8},
            "quality": QUALITY,
        }
    ],
    "receiving": [],
}

ROOM_1 = {
    "room_id": "room-1",
    "room_name": None,
    "updated_at": NOW,
    "aggregate": {
        "user_count": 1,
        "stream_count": 1,
        "quality": {
            "score": 4.37,
            "level": "good",
            "worst": 4.37,
            "good": 1,
            "fair": 0,
            "poor": 0,
            "unknown": 0,
            "verdict": "healthy",
        },
        "rtt": {"avg": 45, "median": 45, "p95": 45, "max": 45},
        "packet_loss": {"avg": 0.3, "median": 0.3, "p95": 0.3, "max": 0.3},
        "jitter": {"avg": 8, "median": 8, "p95": 8, "max": 8},
        "video": {"stream_count": 1, "frame_rate": {"avg": 25, "min": 25}, "send_bitrate": 1200, "recv_bitrate": 0},
        "audio": {"stream_count": 1, "send_bitrate": 64, "recv_bitrate": 0},
    },
    "users": [U1],
}

SILENT: dict[str, Any] = {
    "user_id": "u1",
    "user_name": None,
    "sdk_version": "1.2.0",
    "device": None,
    "connection": None,
    "labels": None,
    "report_time": 1746616000,
    "received_at": NOW,
    "stale": False,
    "reporters": [],
    "quality": {"score": None, "level": "unknown", "uplink": None, "downlink": None, "reasons": []},
    "streams": [],
    "receiving": [],
}

SILENT_ROOM = {
    "room_id": "room-1",
    "room_name": None,
    "updated_at": NOW,
    "aggregate": {
        "user_count": 1,
        "stream_count": 0,
        "quality": {
            "score": None,
            "level": "unknown",
            "worst": None,
            "good": 0,
            "fair": 0,
            "poor": 0,
            "unknown": 1,
            "verdict": "unknown",
        },
        "rtt": None,
        "packet_loss": None,
        "jitter": None,
        "video": {"stream_count": 0, "frame_rate": None, "send_bitrate": 0, "recv_bitrate": 0},
        "audio": {"stream_count": 0, "send_bitrate": 0, "recv_bitrate": 0},
    },
    "users": [SILENT],
}

EVERY_ANSWER = ["/report/rooms", "/report/metrics/room-1", "/report/metrics/room-1/u1", "/report/history/room-1"]


async def post(client: httpx.AsyncClient, content: bytes = REFERENCE) -> None:
    assert (await client.post("/report/metrics", content=content)).status_code == 200


async def test_the_room_of_the_reference_report(client: httpx.AsyncClient) -> None:
    await post(client)
    assert await data(client, "/report/metrics/room-1") == ROOM_1


async def test_the_user_of_the_reference_report(client: httpx.AsyncClient) -> None:
    await post(client)
    assert await data(client, "/report/metrics/room-1/u1") == U1


async def test_whatever_else_a_report_says_is_returned_and_a_freeze_costs(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    smooth = {"codec": "VP9", "frames_dropped": 3, "freeze_count": 2, "freeze_duration": 1.2, "content": "camera"}
    heard = {"codec": "opus", "level": 0.25, "muted": False, "concealed": 1.5}
    device = Device(type="phone", os="Android 15", network_type="4g")
    full = stream("camera", "recv", video=video(**smooth), audio=audio(**heard), network=None)
    for report_time in (1746616000, 1746616010):
        metrics = [Entry("u1", [full], device)]
        await post(client, body(user_id="u2", report_time=report_time, metrics=metrics))
        clock.advance(0.1)
    user = await data(client, "/report/metrics/room-1/u1")
    assert user["device"] == {"type": "phone", "os": "Android 15", "browser": None, "network_type": "4g"}
    (shown,) = user["streams"]
    assert {name: shown["video"][name] for name in smooth} == smooth
    assert {name: shown["audio"][name] for name in heard} == heard
    assert shown["quality"] == {
        "score": 3.67,
        "level": "fair",
        "terms": [
            {"term": "concealment", "cost": 0.17, "value": 1.5, "unit": "%"},
            {"term": "freeze", "cost": 0.6, "value": 12, "unit": "%"},
        ],
    }
    receiver = await data(client, "/report/metrics/room-1/u2")
    assert receiver["quality"]["reasons"] == [
        "picture frozen 12 % of the time receiving u1's camera (−0.6)",
        "1.5 % of the sound concealed receiving u1's camera (−0.2)",
    ]


async def test_names_labels_and_connections_are_returned(client: httpx.AsyncClient, clock: Clock) -> None:
    connection = Connection("relay", "tls", "connected")
    small = stream(video=video(width=320, height=180, bitrate=100, limited_by="cpu"))
    whole = Entry("u1", [small], user_name="Ann", connection=connection)
    labels = {"region": "eu", "app": "web"}
    await post(client, body(metrics=[whole], room_name="Stand-up", labels=labels, events=[Event("muted")]))
    clock.advance(59.999)
    await post(client, body(user_id="u2"))
    room = await data(client, "/report/metrics/room-1")
    user = room["users"][0]
    assert (room["room_name"], user["user_name"], user["labels"]) == ("Stand-up", "Ann", labels)
    assert user["connection"] == {"candidate_type": "relay", "protocol": "tls", "ice_state": "connected"}
    assert user["streams"][0]["video"]["limited_by"] == "cpu"
    await post(client, body(metrics=[Entry("u1", [small])]))
    clock.advance(0.001)
    user = await data(client, "/report/metrics/room-1/u1")
    assert (user["user_name"], user["labels"], user["connection"]) == (None, None, None)
    assert user["quality"]["reasons"] == ["CPU limits the picture to 320×180 sending camera"]


async def test_a_user_that_leaves_is_gone_at_once(client: httpx.AsyncClient) -> None:
    await post(client)
    await post(client, body(user_id="u2", metrics=[Entry("u1", [stream(direction="recv")])]))
    await post(client, body(user_id="u1", metrics=[], events=[Event("left", 1746616000)]))
    room = await data(client, "/report/metrics/room-1")
    assert [user["user_id"] for user in room["users"]] == ["u2"]
    await post(client, body(user_id="u2", metrics=[], events=[Event("left", 1746616000)]))
    assert await data(client, "/report/rooms") == []


async def test_what_is_not_known_of_a_silent_user_is_null_and_never_absent(client: httpx.AsyncClient) -> None:
    await post(client, body(metrics=[]))
    assert await data(client, "/report/metrics/room-1") == SILENT_ROOM
    assert await data(client, "/report/metrics/room-1/u1") == SILENT


async def test_a_room_of_two_adds_up(client: httpx.AsyncClient) -> None:
    await post(client)
    second = stream("camera", "recv", video=video(frame_rate=10, bitrate=300), audio=None, network=network(101, 20, 6))
    silent = stream("mic", video=None, audio=audio(bitrate=None), network=None)
    await post(client, body(user_id="u2", metrics=[Entry("u1", [second]), Entry("u2", [silent])]))
    room = await data(client, "/report/metrics/room-1")
    aggregate = room["aggregate"]
    assert (aggregate["user_count"], aggregate["stream_count"]) == (2, 3)
    assert aggregate["rtt"] == {"avg": 73, "median": 45, "p95": 101, "max": 101}
    assert aggregate["packet_loss"] == {"avg": 3.15, "median": 0.3, "p95": 6, "max": 6}
    assert aggregate["jitter"] == {"avg": 14, "median": 8, "p95": 20, "max": 20}
    assert aggregate["video"] == {
        "stream_count": 2,
        "frame_rate": {"avg": 17.5, "min": 10},
        "send_bitrate": 1200,
        "recv_bitrate": 300,
    }
    assert aggregate["audio"] == {"stream_count": 2, "send_bitrate": 64, "recv_bitrate": 0}
    receiver = room["users"][1]
    assert receiver["receiving"][0]["user_id"] == "u1"
    assert receiver["quality"]["downlink"] == receiver["receiving"][0]["score"] == aggregate["quality"]["score"]
    assert receiver["quality"]["reasons"][0].startswith("6.0 % packet loss receiving u1's camera (−")


async def test_a_figure_of_zero_is_not_unknown(client: httpx.AsyncClient) -> None:
    await post(client, body(metrics=[Entry("u1", [stream(video=None, audio=None, network=Network(0, 0, 0))])]))
    room = await data(client, "/report/metrics/room-1")
    assert room["aggregate"]["rtt"] == {"avg": 0, "median": 0, "p95": 0, "max": 0}
    assert room["users"][0]["streams"][0]["network"] == {"rtt": 0, "packet_loss": 0, "jitter": 0}


async def test_rooms_and_users_come_sorted(client: httpx.AsyncClient) -> None:
    assert await data(client, "/report/rooms") == []
    for room_id, user_id in (("b", "z"), ("a", "x"), ("B", "x"), ("b", "Z"), ("é", "x"), ("b", "a/")):
        await post(client, body(room_id=room_id, user_id=user_id))
    assert await data(client, "/report/rooms") == ["B", "a", "b", "é"]
    users = (await data(client, "/report/metrics/b"))["users"]
    assert [user["user_id"] for user in users] == ["Z", "a/", "z"]


async def test_times_have_milliseconds(client: httpx.AsyncClient, clock: Clock) -> None:
    clock.now = NOW + 0.125
    await post(client)
    room = await data(client, "/report/metrics/room-1")
    assert room["updated_at"] == room["users"][0]["received_at"] == NOW + 0.125


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/report/metrics/room-2", "room_id"),
        ("/report/metrics/room-2/u1", "room_id"),
        ("/report/metrics/room-1/u2", "user_id"),
        ("/report/history/room-2", "room_id"),
        ("/report/metrics/room-1%2Fu1", "room_id"),
        ("/report/metrics/%FF", "room_id"),
        ("/report/metrics/room-1/%C3", "user_id"),
        ("/report/metrics/%20room-1", "room_id"),
        ("/report/metrics/room-1%00", "room_id"),
        ("/report/metrics/" + "x" * 129, "room_id"),
        ("/report/metrics/%2E%2E", "room_id"),
        ("/report/history/%0A", "room_id"),
        ("/report/stream/%0A", "room_id"),
    ],
)
async def test_what_is_not_there_is_not_found(kept: httpx.AsyncClient, path: str, named: str) -> None:
    await post(kept)
    assert_problem(await kept.get(path), 404, f"{named}: ")


async def test_a_slash_in_an_id_is_not_one_in_the_path(client: httpx.AsyncClient) -> None:
    await post(client, body(room_id="a/b", user_id="room"))
    await post(client, body(room_id="a", user_id="b"))
    assert (await data(client, "/report/metrics/a%2Fb"))["room_id"] == "a/b"
    assert (await data(client, "/report/metrics/a/b"))["user_id"] == "b"


@pytest.mark.parametrize(
    "path", [*EVERY_ANSWER, "/report/openapi.json", "/", "/rooms/room-1", "/rooms/room-1/users/u1"]
)
async def test_head_answers_like_get_without_the_body(client: httpx.AsyncClient, path: str) -> None:
    await post(client)
    get, head = await client.get(path), await client.head(path)
    assert (head.status_code, head.content) == (get.status_code, b"") == (200, b"")
    expected = dict(get.headers)
    if get.headers.get("content-encoding"):
        del expected["content-length"]  # nothing is compressed for it
    assert dict(head.headers) == expected


async def test_head_of_what_is_not_there_is_404(client: httpx.AsyncClient) -> None:
    answer = await client.head("/report/metrics/room-1")
    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize("path", [*EVERY_ANSWER, "/report/stream/room-1", "/report/openapi.json"])
async def test_they_can_only_be_read_and_history_be_erased(kept: httpx.AsyncClient, path: str) -> None:
    for method in ("POST", "PUT", "PATCH", *(() if path.startswith("/report/history/") else ("DELETE",))):
        answer = await kept.request(method, path)
        assert_problem(answer, 405, method)
        assert {"GET", "HEAD"} <= set(answer.headers["allow"].split(", "))


@pytest.mark.parametrize("path", EVERY_ANSWER)
@pytest.mark.parametrize("known", ["{}", "W/{}", '"other", {}', 'W/"other", W/{}', '"a","b", W/{} ,"c"', "*"])
async def test_what_the_client_has_already_is_not_sent_again(kept: httpx.AsyncClient, path: str, known: str) -> None:
    await post(kept)
    etag = (await kept.get(path)).headers["etag"]
    assert etag.startswith('W/"')
    for method in ("GET", "HEAD"):
        seen = known.format(etag.removeprefix("W/"))
        answer = await kept.request(method, path, headers={"if-none-match": seen})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)


@pytest.mark.parametrize("path", EVERY_ANSWER)
@pytest.mark.parametrize("known", ['"other"', 'W/"other"', "", "nonsense"])
async def test_what_the_client_has_not_is_sent(kept: httpx.AsyncClient, path: str, known: str) -> None:
    await post(kept)
    answer = await kept.get(path, headers={"if-none-match": known})
    assert answer.status_code == 200
    assert answer.json()["code"] == 0


async def test_what_is_gone_is_404_whatever_the_client_has(client: httpx.AsyncClient, clock: Clock) -> None:
    await post(client)
    etag = (await client.get("/report/metrics/room-1")).headers["etag"]
    clock.advance(60)
    assert_problem(await client.get("/report/metrics/room-1", headers={"if-none-match": etag}), 404)
    assert_problem(await client.get("/report/metrics/room-1", headers={"if-none-match": "*"}), 404)


@pytest.mark.parametrize(("path", "tags"), [("/report/metrics/room-1", 4), ("/report/metrics/room-1/u1", 3)])
async def test_the_etag_changes_with_the_answer(client: httpx.AsyncClient, clock: Clock, path: str, tags: int) -> None:
    await post(client)
    seen = [await client.get(path)]
    await post(client)  # the same figures at the same moment are a change of the room like any other
    seen.append(await client.get(path))
    clock.advance(15)  # u1 is stale
    seen.append(await client.get(path))
    clock.advance(1)
    await post(client)
    seen.append(await client.get(path))
    assert len({answer.headers["etag"] for answer in seen}) == tags
    assert len({answer.content for answer in seen}) == 3


@pytest.mark.parametrize("path", ["/report/metrics/room-1", "/report/metrics/room-1/u1"])
async def test_the_etag_stays_while_the_answer_does(client: httpx.AsyncClient, clock: Clock, path: str) -> None:
    await post(client)
    before = await client.get(path)
    clock.advance(14)
    await post(client, body(room_id="room-2"))
    after = await client.get(path)
    assert (before.headers["etag"], before.content) == (after.headers["etag"], after.content)


async def test_the_etag_of_a_user_stays_when_another_one_reports(client: httpx.AsyncClient) -> None:
    await post(client)
    before = await client.get("/report/metrics/room-1/u1")
    await post(client, body(user_id="u2"))
    assert (await client.get("/report/metrics/room-1/u1")).headers["etag"] == before.headers["etag"]


async def test_the_list_of_rooms_has_a_new_etag_when_a_room_starts_or_ends(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    empty = (await client.get("/report/rooms")).headers["etag"]
    await post(client)
    full = (await client.get("/report/rooms")).headers["etag"]
    clock.advance(60)
    assert (await client.get("/report/rooms")).headers["etag"] == empty != full


async def test_a_user_is_stale_after_15_seconds_without_a_word(client: httpx.AsyncClient, clock: Clock) -> None:
    await post(client)
    clock.advance(14.999)
    assert (await data(client, "/report/metrics/room-1/u1"))["stale"] is False
    clock.advance(0.001)
    user = await data(client, "/report/metrics/room-1/u1")
    silent: dict[str, Any] = {"score": None, "level": "unknown", "uplink": None, "downlink": None, "reasons": []}
    (camera,) = U1["streams"]
    last = camera | {"quality": {"score": None, "level": "unknown", "terms": []}}
    assert user == U1 | {"stale": True, "quality": silent, "streams": [last]}
    room = await data(client, "/report/metrics/room-1")
    assert (room["users"], room["updated_at"]) == ([user], NOW + 15)
    assert (room["aggregate"]["user_count"], room["aggregate"]["stream_count"], room["aggregate"]["rtt"]) == (
        1,
        0,
        None,
    )


async def test_a_stale_user_is_fresh_again_as_soon_as_it_reports(client: httpx.AsyncClient, clock: Clock) -> None:
    await post(client)
    clock.advance(30)
    await post(client)
    user = await data(client, "/report/metrics/room-1/u1")
    assert (user["stale"], user["received_at"]) == (False, NOW + 30)


async def test_a_user_stays_as_long_as_others_report_about_it(client: httpx.AsyncClient, clock: Clock) -> None:
    await post(client)
    for _ in range(10):
        clock.advance(10)
        await post(client, body(user_id="u2", metrics=[Entry("u1", [stream("camera", "recv")])]))
    user = await data(client, "/report/metrics/room-1/u1")
    assert (user["stale"], user["received_at"], user["reporters"]) == (False, NOW + 100, ["u2"])


async def test_a_user_leaves_after_60_seconds_without_a_word(client: httpx.AsyncClient, clock: Clock) -> None:
    await post(client)
    clock.advance(30)
    await post(client, body(user_id="u2"))
    clock.advance(29.999)
    assert (await data(client, "/report/metrics/room-1"))["aggregate"]["user_count"] == 2
    clock.advance(0.001)
    assert_problem(await client.get("/report/metrics/room-1/u1"), 404, "user_id")
    assert (await data(client, "/report/metrics/room-1"))["aggregate"]["user_count"] == 1


async def test_a_room_without_users_is_no_longer_live(client: httpx.AsyncClient, clock: Clock) -> None:
    await post(client)
    clock.advance(60)
    assert await data(client, "/report/rooms") == []
    assert_problem(await client.get("/report/metrics/room-1"), 404, "room_id")
    await post(client)
    assert (await data(client, "/report/metrics/room-1"))["updated_at"] == NOW + 60


async def test_a_stream_leaves_60_seconds_after_the_last_report_about_it(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await post(client, body(metrics=[Entry("u1", [stream("camera"), stream("mic")])]))
    clock.advance(30)
    await post(client, body(metrics=[Entry("u1", [stream("mic")])]))
    clock.advance(29.999)
    names = [one["stream_id"] for one in (await data(client, "/report/metrics/room-1/u1"))["streams"]]
    assert names == ["camera", "mic"]  # a report says nothing about streams that it does not mention
    clock.advance(0.001)
    names = [one["stream_id"] for one in (await data(client, "/report/metrics/room-1/u1"))["streams"]]
    assert names == ["mic"]


async def test_the_times_of_staleness_and_leaving_are_settings(settings: Settings, clock: Clock) -> None:
    async with serving(msgspec.structs.replace(settings, stale_after=2, leave_after=5), clock) as client:
        await post(client)
        clock.advance(2)
        assert (await data(client, "/report/metrics/room-1/u1"))["stale"] is True
        clock.advance(3)
        assert await data(client, "/report/rooms") == []


async def test_the_newest_report_about_a_stream_replaces_the_one_before(client: httpx.AsyncClient) -> None:
    await post(client)
    await post(client, body(metrics=[Entry("u1", [stream(network=network(packet_loss=10))])]))
    user = await data(client, "/report/metrics/room-1/u1")
    assert len(user["streams"]) == 1
    assert user["streams"][0]["network"]["packet_loss"] == 10
    assert user["quality"]["level"] == "poor"


async def test_streams_are_told_apart_by_reporter_and_direction(client: httpx.AsyncClient) -> None:
    await post(client, body(metrics=[Entry("u1", [stream("camera", "send"), stream("camera", "recv")])]))
    await post(client, body(user_id="u2", metrics=[Entry("u1", [stream("camera", "recv")])]))
    streams = (await data(client, "/report/metrics/room-1/u1"))["streams"]
    found = [(one["stream_id"], one["direction"], one["reporter_id"]) for one in streams]
    assert found == [("camera", "recv", "u1"), ("camera", "recv", "u2"), ("camera", "send", "u1")]


async def test_a_trip_through_a_url_keeps_an_id_of_every_ascii_character(client: httpx.AsyncClient) -> None:
    printable = "".join(map(chr, range(0x21, 0x7F)))
    await post(client, body(room_id=printable, user_id=printable))
    assert (await data(client, url("report", "metrics", printable, printable)))["user_id"] == printable


async def test_a_user_with_many_streams_is_answered_as_in_its_room(client: httpx.AsyncClient) -> None:
    received = [stream("camera", "recv", sender_id=f"u{number}", video=None) for number in range(STREAMS_AT_ONCE + 1)]
    posted = body(user_id="server", metrics=[Entry("listener", received)], role="server")
    assert (await client.post("/report/metrics", content=posted)).status_code == 200
    (in_room,) = (await client.get("/report/metrics/room-1")).json()["data"]["users"]
    answer = await client.get("/report/metrics/room-1/listener")
    assert answer.json()["data"] == in_room
    assert len(in_room["streams"]) == STREAMS_AT_ONCE + 1
    headers = {"if-none-match": answer.headers["etag"]}
    assert (await client.get("/report/metrics/room-1/listener", headers=headers)).status_code == 304


@pytest.mark.one_process  # the next request of three would bring another worker to the present
async def test_a_user_who_leaves_while_its_answer_is_put_together_is_404(
    client: httpx.AsyncClient, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def catch_up_user(_encoded: EncodedRooms, _user: LiveUser) -> None:
        clock.advance(3_600)
        await client.get("/report/rooms")

    await client.post("/report/metrics", content=REFERENCE)
    monkeypatch.setattr(EncodedRooms, "catch_up_user", catch_up_user)
    assert_problem(await client.get("/report/metrics/room-1/u1"), 404, "room_id")
