"""Looks at live users, and the groups that they come to."""

import pytest

from roompulse.insights.cell import MOST_VALUES
from roompulse.insights.collector import EXAMPLES, MOST_LABELS
from roompulse.report.model import Connection, Device, Entry
from tests.builders import audio, network, stream, video
from tests.insights.world import FAIR, GOOD, POOR, World


@pytest.fixture(params=[1, 100])
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> World:
    """Whose users are looked at and added up in steps of one, or all at once."""
    monkeypatch.setattr("roompulse.insights.collector._USERS_AT_ONCE", request.param)
    return World()


def test_a_look_is_a_minute_of_a_user_at_the_level_it_has(world: World) -> None:
    world.post("ada", GOOD)
    world.post("bob", FAIR)
    world.post("eve", POOR)
    world.post("dan", POOR, sdk_version="2.0.0")
    one, two = (world.groups("sdk_version")[version] for version in ("1.2.0", "2.0.0"))
    assert (one.users, one.user_minutes, one.good, one.fair, one.poor) == (3, 3, 33.3, 33.3, 33.3)
    assert (two.users, two.user_minutes, two.good, two.fair, two.poor) == (1, 1, 0.0, 0.0, 100.0)
    assert one.against is not None
    assert (one.against.poor, one.against.difference, one.against.significant) == (100.0, -66.7, False)


def test_scores_and_terms_are_those_of_the_worst_stream(world: World) -> None:
    world.post("ada", GOOD)
    world.post("bob", POOR)
    group = world.groups("sdk_version")["1.2.0"]
    score = world.rooms._rooms["room-1"].users["bob"].score()
    assert group.score is not None
    assert score is not None
    assert group.score.p10 == pytest.approx(score, abs=0.05)
    assert [(term.term, term.share) for term in group.top_terms] == [("loss", 100.0)]


def test_users_without_a_level_are_in_no_group_but_in_the_trends(world: World) -> None:
    world.post("ada", streams=[])
    world.post("bob")
    minute = world.minute()
    assert minute.cells["sdk_version"]["1.2.0"].users.count == 1
    totals = minute.totals
    assert (totals.looks, totals.rooms, totals.good, totals.unknown) == (6, 6, 6, 6)


def test_users_are_grouped_by_all_that_is_known_of_them(world: World) -> None:
    device = Device("mobile", "Android 16", "Chrome 142", "cellular")
    connection = Connection("relay", "tcp")
    world.post("ada", POOR, device=device, connection=connection, labels={"region": "eu", "server": "s1"})
    world.post("bob")
    for by, value in {
        "browser": "Chrome 142",
        "os": "Android 16",
        "device": "mobile",
        "network_type": "cellular",
        "candidate_type": "relay",
        "protocol": "tcp",
        "label:region": "eu",
        "label:server": "s1",
    }.items():
        groups = world.groups(by)
        assert list(groups) == [value]
        assert (groups[value].users, groups[value].poor, groups[value].against) == (1, 100.0, None)


def test_the_sdk_version_of_a_user_is_its_own_and_not_that_of_who_receives_it(world: World) -> None:
    world.post("ada", sdk_version="1.0.0")
    world.post_entries("bob", [Entry("ada", [stream("camera", "recv")])], sdk_version="2.0.0")
    groups = world.groups("sdk_version")
    assert {version: group.users for version, group in groups.items()} == {"1.0.0": 1, "2.0.0": 1}


def test_streams_are_grouped_by_codec_and_direction(world: World) -> None:
    bad = network(packet_loss=POOR)
    received = stream("camera", "recv", video=video(codec="AV1"), audio=None, network=bad)
    sent = stream("camera", video=video(codec="VP9", bitrate=2000), audio=audio(codec="opus"))
    world.post("ada", streams=[sent])
    world.post("bob", streams=[sent])
    world.post("eve", streams=[sent, received])
    directions, codecs = world.groups("direction"), world.groups("video_codec")
    assert (directions["send"].users, directions["send"].poor) == (3, 0.0)
    assert (directions["recv"].users, directions["recv"].poor) == (1, 100.0)
    assert (codecs["VP9"].users, codecs["VP9"].poor) == (3, 0.0)
    assert (codecs["AV1"].users, codecs["AV1"].poor) == (1, 100.0)
    assert world.groups("audio_codec")["opus"].users == 3
    assert world.groups("sdk_version")["1.2.0"].poor == 33.3


def test_a_user_in_two_rooms_is_one_user_for_twice_as_long(world: World) -> None:
    world.post("ada")
    world.post("ada", room_id="room-2")
    group = world.groups("sdk_version")["1.2.0"]
    assert (group.users, group.user_minutes) == (1, 2)


def test_values_and_labels_are_bounded(world: World) -> None:
    for number in range(MOST_VALUES + 20):
        world.post(f"user-{number}", sdk_version=f"1.0.{number}", labels={f"key_{number}": "x"})
    minute = world.minute()
    assert len(minute.cells["sdk_version"]) == MOST_VALUES + 1
    assert minute.cells["sdk_version"][""].users.count == 20
    assert sum(by.startswith("label:") for by in minute.cells) == MOST_LABELS


def test_the_worst_users_of_each_value_are_kept_as_examples(world: World) -> None:
    for number in range(30):
        world.post(f"user-{number}", POOR, sdk_version="1.0.0" if number < 20 else "2.0.0")
    world.post("fine", GOOD, sdk_version="3.0.0")
    examples = world.minute().examples
    versions = [value for one in examples for by, value in one.traits if by == "sdk_version"]
    assert sorted(versions) == ["1.0.0"] * EXAMPLES + ["2.0.0"] * EXAMPLES
    assert {one.poor for one in examples} == {1}


def test_what_others_receive_of_a_user_is_not_its_own_quality(world: World) -> None:
    world.post("ada", device=Device(browser="Safari"))
    received = stream("camera", "recv", network=network(packet_loss=POOR))
    world.post("bob", device=Device(browser="Firefox"), streams=[stream()])
    entries = [Entry("ada", [received])]
    world.post_entries("bob", entries)
    assert world.groups("browser")["Safari"].poor == 0.0
    assert world.groups("browser")["Firefox"].poor == 100.0
