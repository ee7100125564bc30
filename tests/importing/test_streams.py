"""Senders and receivers of streams, and their figures."""

from typing import Any

import pytest

from roompulse.importing.reports import reports_of
from roompulse.importing.rtcstats import read_rtcstats
from roompulse.report.model import Audio, Network, Received, Video
from tests.importing.dumps import START, Snapshots, call, description, rtcstats, snapshot, streams

CAMERA = ("local", "camera", "send")
MIC = ("ada", "mic", "recv")


def reported(snapshots: Snapshots, **options: Any) -> list[Received]:
    return reports_of(read_rtcstats(rtcstats(snapshots, **options).splitlines()), "room-1")


def network_of(received: Received, key: tuple[str, str, str]) -> Network:
    network = streams(received)[key].network
    assert network
    return network


def test_figures_are_of_what_changed_and_never_of_the_whole_call() -> None:
    """A call that has gone on for an hour without a loss, and then loses every second packet."""
    snapshots = call(range(3600, 3621))
    for second, (_, objects) in enumerate(snapshots):
        objects["RV"]["packetsLost"] = 50 * second
        objects["IA"]["packetsLost"] = 49 * second
        objects["OV"]["framesEncoded"] = 90_000 + 5 * second
    for received in reported(snapshots):
        assert network_of(received, CAMERA).packet_loss == network_of(received, MIC).packet_loss == 50
        video = streams(received)[CAMERA].video
        assert video
        assert (video.frame_rate, video.bitrate) == (5, 1000)


def test_one_sample_of_about_five_seconds_stands_for_finer_ones() -> None:
    fine = reported(call(second / 10 for second in range(600)))
    assert [round(received.at - START, 1) for received in fine] == [8.9 + 5 * count for count in range(11)] + [59.9]
    assert len(reported(call(range(0, 61, 10)))) == 6  # and coarser ones stand for themselves


def test_a_gap_is_left_out_whatever_was_counted_in_it() -> None:
    reports = reported([*call(range(21)), *call(range(60, 81))])
    assert [received.at - START for received in reports] == [8, 13, 18, 20, 60 + 3, 68, 73, 78, 80]
    assert reports[4].report.metrics == []  # a user is present, with unknown quality
    assert all(len(streams(received)) == 2 for received in reports[:4] + reports[5:])


def test_counters_that_go_backwards_began_anew() -> None:
    reports = reported([*call(range(100, 121)), *[(at + 121, objects) for at, objects in call(range(21))]])
    shown = {received.at - START: len(streams(received)) for received in reports}
    assert shown == {108: 2, 113: 2, 118: 2, 123: 0, 128: 2, 133: 2, 138: 2, 141: 2}
    videos = [stream.video for received in reports for stream in streams(received).values() if stream.video]
    assert {video.bitrate for video in videos} == {1000}


def test_a_stream_that_is_off_is_no_bad_stream() -> None:
    assert set(streams(reported(call(OV={"packetsSent": 500, "bytesSent": 9000}))[0])) == {MIC}
    assert set(streams(reported(call(IA={"packetsReceived": 500, "bytesReceived": 9000}))[0])) == {CAMERA}


def test_packets_that_come_after_all_are_no_negative_loss() -> None:
    snapshots = call()
    for second, (_, objects) in enumerate(snapshots):
        objects["IA"]["packetsLost"] = objects["RV"]["packetsLost"] = 100 - second
    for received in reported(snapshots):
        assert network_of(received, CAMERA).packet_loss == network_of(received, MIC).packet_loss == 0


def test_the_loss_of_what_is_sent_is_by_the_newest_report_of_its_receiver() -> None:
    snapshots = call(range(41))
    for _, objects in snapshots[10:]:
        objects["RV"] = snapshots[9][1]["RV"] | {"timestamp": snapshots[9][0] * 1000}  # it has fallen silent
    losses = [network_of(received, CAMERA).packet_loss for received in reported(snapshots)]
    assert losses == [2, 2, 2, 2, 2, None, None, None]


def test_the_rtt_of_what_is_sent_is_the_receiver_s_else_that_of_the_path() -> None:
    measured, *_ = reported(call())
    assert (network_of(measured, CAMERA).rtt, network_of(measured, MIC).rtt) == (45, 60)
    for changes in ({"RV": {"roundTripTime": None}}, {"RV": {"localId": "another"}}):
        received, *_ = reported(call(**changes))
        assert network_of(received, CAMERA).rtt == 60


@pytest.mark.parametrize(
    ("changes", "rtt"),
    [
        ({"Q": {"type": "candidate-pair", "nominated": True, "currentRoundTripTime": 9}}, 60),
        ({"T": {"selectedCandidatePairId": None}}, 60),
        ({"T": {"type": "none"}, "IA": {"transportId": None}}, 60),  # Firefox has no transports
        ({"IA": {"transportId": None}, "P": {"nominated": None, "selected": True}}, 60),
        ({"IA": {"transportId": None}, "P": {"nominated": False}}, None),
        ({"P": {"currentRoundTripTime": None}}, None),
    ],
)
def test_the_path_is_the_candidate_pair_in_use(changes: dict[str, Any], rtt: float | None) -> None:
    received, *_ = reported(call(**changes))
    assert network_of(received, MIC).rtt == rtt


def test_layers_of_simulcast_are_one_stream() -> None:
    layer = {"frameWidth": 320, "frameHeight": 180, "rid": "q", "framesEncoded": None}
    snapshots = call()
    for second, (_, objects) in enumerate(snapshots):
        objects["OW"] = objects["OV"] | layer | {"packetsSent": 100 * second, "bytesSent": 25_000 * second}
        objects["RW"] = objects["RV"] | {"localId": "OW", "roundTripTime": 0.1, "packetsLost": 0}
    received, *_ = reported(snapshots)
    stream = streams(received)[CAMERA]
    assert stream.video == Video(None, 25, 1280, 720, 1200)
    assert stream.network == Network(rtt=100, packet_loss=1, jitter=8)


def test_streams_are_named_by_what_they_are() -> None:
    screen = snapshot(0)["OV"] | {"contentType": "screenshare", "mid": "7"}
    second_mic = snapshot(0)["IA"] | {"mid": "9", "packetsReceived": None}
    snapshots = call(OS=screen, OC=snapshot(0)["OV"] | {"mid": "8"}, IB=second_mic)
    for second, (_, objects) in enumerate(snapshots):
        objects["OS"] |= {"packetsSent": second, "bytesSent": second}
        objects["OC"] |= {"packetsSent": second, "bytesSent": second}
        objects["IB"] |= {"packetsReceived": second, "bytesReceived": second}
    received, *_ = reported(snapshots, described=description(m1="ada", m9="ada"))
    assert set(streams(received)) == {
        CAMERA,
        ("local", "screen", "send"),
        ("local", "camera-2", "send"),
        MIC,
        ("ada", "mic-2", "recv"),
    }


@pytest.mark.parametrize("named", ["local", "a\u202eb", "x" * 129, "-"])
def test_who_has_no_name_that_can_be_used_is_a_number(named: str) -> None:
    received, *_ = reported(call(), described=description(m1=named))
    assert set(streams(received)) == {CAMERA, ("remote-1", "mic", "recv")}


@pytest.mark.parametrize("described", [None, "", "{", 7, {"sdp": None}, {}, description(m5="eve")])
def test_without_a_description_that_names_it_likewise(described: Any) -> None:
    received, *_ = reported(call(), described=described)
    assert ("remote-1", "mic", "recv") in streams(received)


def test_a_place_that_is_given_to_another_later_is_that_other_s_later() -> None:
    past_pages, later = call(range(21)), call(range(21, 42))
    for _, objects in later:
        objects["IB"] = objects.pop("IA")  # a new SSRC is a new object
    content = rtcstats(past_pages) + b"\n" + rtcstats(later, described=description(m1="bob"))
    reports = reports_of(read_rtcstats(content.splitlines()), "room-1")
    who = [{user for user, _, direction in streams(received) if direction == "recv"} for received in reports]
    assert who[0] == {"ada"}
    assert who[-1] == {"bob"}
    assert set().union(*who) == {"ada", "bob"}


def test_what_the_codec_is_need_be_said_once_only() -> None:
    snapshots = call()
    for _, objects in snapshots[1:]:
        del objects["C"]
    assert streams(reported(snapshots)[-1])[MIC].audio == Audio(None, 48000, 2, 64)
    assert streams(reported(call(IA={"codecId": "none"}))[0])[MIC].audio == Audio(None, None, None, 64)


def test_the_reports_are_those_of_the_local_user() -> None:
    first, *_ = reported(call())
    assert (first.report.user_id, first.report.room_id, first.report.sdk_version) == ("local", "room-1", "rtcstats")
    assert first.report.report_time == first.at
