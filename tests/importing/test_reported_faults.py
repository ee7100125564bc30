"""Dumps in the shapes of public bug reports and of other importers' tests, each smaller than it was there."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from roompulse.importing.recording import Unusable
from roompulse.importing.reports import reports_of
from roompulse.importing.rtcstats import read_rtcstats
from roompulse.report.model import Received, Video
from tests.importing.dumps import (
    START,
    Snapshots,
    call,
    chromium_rtcstats,
    description,
    imported,
    internals,
    rtcstats,
    snapshot,
    streams,
)

CAMERA = ("local", "camera", "send")
MIC = ("ada", "mic", "recv")


def reported(content: bytes) -> list[Received]:
    return reports_of(read_rtcstats(content.splitlines()), "room-1")


def video_of(received: Received, key: tuple[str, str, str] = CAMERA) -> Video:
    video = streams(received)[key].video
    assert video
    return video


def senders(received: Received) -> set[str]:
    return {user for user, _, direction in streams(received) if direction == "recv"}


def renamed(snapshots: Snapshots, names: dict[str, str]) -> Snapshots:
    """The same, whose objects have other ids."""
    return [
        (at, {names[name]: {member: names.get(value, value) if isinstance(value, str) else value
                            for member, value in members.items()} for name, members in objects.items()})
        for at, objects in snapshots
    ]  # fmt: skip


# Types


OF_2020 = {
    "OV": "RTCOutboundRTPVideoStream_11",
    "RV": "RTCRemoteInboundRtpVideoStream_11",
    "IA": "RTCInboundRTPAudioStream_1234",
    "C": "RTCCodec_audio_Inbound_111",
    "T": "RTCTransport_0_1",
    "P": "RTCIceCandidatePair_ab_cd",
}
OF_2023 = {"OV": "OT01V11", "RV": "RIV11", "IA": "IT01A1234", "C": "CIT01_111_x", "T": "T01", "P": "CPab_cd"}


@pytest.mark.parametrize("names", [OF_2020, OF_2023])
def test_an_object_without_a_type_has_that_of_its_id(tmp_path: Path, names: dict[str, str]) -> None:
    snapshots = renamed(call(OV={"kind": None}, RV={"kind": None}, IA={"kind": None}), names)
    for times in (True, False):
        dump = internals(snapshots, times=times, typed=False)
        assert imported(tmp_path, dump) == imported(tmp_path, internals(call(), times=times))


def test_a_media_type_is_a_kind(tmp_path: Path) -> None:
    old = call(IA={"kind": None, "mediaType": "audio"})
    assert imported(tmp_path, internals(old)) == imported(tmp_path, internals(call()))


# Senders


def section(*lines: str, kind: str = "audio") -> str:
    return "\r\n".join([f"m={kind} 9 UDP/TLS/RTP/SAVPF 111", *lines, ""])


def two_senders(**members: Iterable[Any]) -> Snapshots:
    """Two microphones that are received, without a mid; `members` gives each of them its own value."""
    snapshots = call()
    for _, objects in snapshots:
        of_both = objects.pop("IA")
        del of_both["mid"]
        for number, values in enumerate(zip(*members.values(), strict=True)):
            objects[f"I{number}"] = of_both | dict(zip(members, values, strict=True))
    return snapshots


@pytest.mark.parametrize(
    "sections",
    [
        [  # of each of them its own place
            section("a=mid:0", "a=msid:alice t0", "a=ssrc:100 msid:alice t0"),
            section("a=mid:1", "a=msid:bert t1", "a=ssrc:101 msid:bert t1"),
        ],
        [  # whose SSRC has only a name
            section("a=mid:0", "a=msid:alice t0", "a=ssrc:100 cname:x"),
            section("a=mid:1", "a=msid:bert t1", "a=ssrc:101 cname:x"),
        ],
        [section("a=mid:audio", "a=ssrc:100 msid:alice t0", "a=ssrc:101 msid:bert t1")],  # Plan B
        [section("a=mid:audio", "a=ssrc:100 msid:alice-audio-0-1 t0", "a=ssrc:101 msid:bert-audio-1 t1")],  # Jitsi
    ],
)
def test_senders_are_known_by_their_ssrc(sections: list[str]) -> None:
    described = {"type": "offer", "sdp": "v=0\r\n" + "".join(sections)}
    reports = reported(rtcstats(two_senders(ssrc=[100, 101]), described=described))
    assert [senders(received) for received in reports] == [{"alice", "bert"}] * len(reports)


@pytest.mark.parametrize("identified", [["t0", "t1"], ["{t0}", "{t1}"]])
@pytest.mark.parametrize("form", ["text", "list"])
def test_senders_are_known_by_their_tracks(identified: list[str], form: str) -> None:
    """Without any description, as where addresses were taken out of a dump with all of it."""
    told: list[Any] = [
        f"audio:{track} stream:{user}" if form == "text" else ["audio", track, "a label", user]
        for track, user in zip(identified, ["alice", "bert"], strict=True)
    ]
    events = [["ontrack", "PC_0", one] for one in told]
    dump = rtcstats(two_senders(trackIdentifier=identified), described="", events=events)
    assert senders(reported(dump)[0]) == {"alice", "bert"}


def test_senders_are_known_by_the_track_objects_of_old_browsers() -> None:
    snapshots = two_senders(trackId=["TR0", "TR1"])
    for _, objects in snapshots:
        for number in range(2):
            objects[f"TR{number}"] = {"type": "track", "trackIdentifier": f"t{number}"}
    sections = section("a=mid:0", "a=msid:alice t0") + section("a=mid:1", "a=msid:bert t1")
    dump = rtcstats(snapshots, described={"sdp": f"v=0\r\n{sections}"})
    assert senders(reported(dump)[0]) == {"alice", "bert"}


@pytest.mark.parametrize("event", [None, 7, "", "audio", "audio:x", ["audio"], ["audio", 1, 2, 3], {}])
def test_an_event_of_a_track_that_is_none_is_passed_over(event: Any) -> None:
    dump = rtcstats(call(), events=[["ontrack", "PC_0", event]])
    assert senders(reported(dump)[0]) == {"ada"}


def test_what_no_participant_sends_names_nobody() -> None:
    described = {"sdp": "v=0\r\n" + section("a=mid:1", "a=ssrc:100 msid:mixedmslabel mixedlabelaudio0")}
    assert senders(reported(rtcstats(call(IA={"ssrc": 100}), described=described))[0]) == {"remote-1"}


# Times


def test_a_sequence_number_is_no_time(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in rtcstats(call()).splitlines()[1:]]
    for line in lines[1:]:
        del line[2]["timestamp"]
    numbered = [[*line, number] for number, line in enumerate(lines, start=1)]
    content = "\n".join(map(json.dumps, [["connectionInfo", None, {}, START * 1000], *numbered])).encode()
    assert [(one.at, streams(one)) for one in imported(tmp_path, content)] == [
        (one.at, streams(one)) for one in imported(tmp_path, rtcstats(call()))
    ]


LAG = 31_589
"""Seconds that a machine slept, which the clock of its getStats() does not know of."""


@pytest.mark.parametrize(
    "form",
    [
        lambda snapshots: rtcstats(snapshots, lag=LAG),
        lambda snapshots: chromium_rtcstats(snapshots, lag=LAG),
        lambda snapshots: internals(snapshots, logged=snapshots[0][0] + LAG),
    ],
    ids=["rtcstats", "rtcstats of chromium", "webrtc-internals"],
)
def test_the_time_of_the_log_counts_where_statistics_lag_behind(
    tmp_path: Path, form: Callable[[Snapshots], bytes]
) -> None:
    reports = imported(tmp_path, form(call()))
    assert [round(received.at) - START for received in reports] == [LAG + 5 * count + 4 for count in (1, 2, 3)] + [
        LAG + 20
    ]
    for received in reports:
        assert set(streams(received)) == {CAMERA, MIC}
        assert video_of(received) == Video(None, 25, 1280, 720, 1000)


def set_back(snapshots: Snapshots, seconds: float) -> Snapshots:
    """The same, whose clock was set in the middle."""
    middle = len(snapshots) // 2
    return snapshots[:middle] + [(at - seconds, objects) for at, objects in snapshots[middle:]]


def log_goes_on(snapshots: Snapshots) -> bytes:
    lines = [json.loads(line) for line in rtcstats(snapshots).splitlines()]
    for number, line in enumerate(lines[2:]):
        line[-1] = (START + number) * 1000
    return "\n".join(map(json.dumps, lines)).encode()


@pytest.mark.parametrize(
    "form",
    [rtcstats, chromium_rtcstats, internals, log_goes_on],
    ids=["rtcstats", "rtcstats of chromium", "webrtc-internals", "rtcstats with a log that goes on"],
)
@pytest.mark.parametrize("seconds", [3, 60, 3600])
def test_a_clock_that_is_set_back_costs_one_interval(
    tmp_path: Path, form: Callable[[Snapshots], bytes], seconds: float
) -> None:
    reports = imported(tmp_path, form(set_back(call(range(61)), seconds)))
    videos = [video_of(received) for received in reports if received.report.metrics]
    assert {(video.bitrate, video.frame_rate) for video in videos} == {(1000, 25)}
    assert len(videos) >= 10
    times = [received.at for received in reports]
    assert times == sorted(set(times))


def test_a_clock_of_the_log_that_is_set_back_is_right_in_the_end(tmp_path: Path) -> None:
    """As in a dump whose first event is from years later."""
    late = json.dumps(["connectionInfo", None, {}, (START + 94_000_000) * 1000]).encode()
    _, *lines = rtcstats(call()).splitlines()
    reports = imported(tmp_path, b"\n".join([late, *lines]))
    assert [received.at - START for received in reports] == [8, 13, 18, 20]
    assert senders(reports[0]) == {"ada"}


# Layers


@pytest.mark.parametrize(("mode", "layers"), [("L2T3_KEY", 2), ("L3T3_KEY", 3), ("S3T3", 3)])
@pytest.mark.parametrize("shown", [20, 10])
def test_spatial_layers_are_not_frames(mode: str, layers: int, shown: int) -> None:
    snapshots = call(OV={"scalabilityMode": mode, "framesPerSecond": shown})
    for second, (_, objects) in enumerate(snapshots):
        objects["OV"]["framesEncoded"] = layers * shown * second
    assert {video_of(received).frame_rate for received in reported(rtcstats(snapshots))} == {shown}


@pytest.mark.parametrize("mode", ["L3T3_KEY", None])
def test_nor_is_more_than_the_camera_gives_where_no_rate_is_known(mode: str | None) -> None:
    snapshots = call(OV={"mediaSourceId": "S", "scalabilityMode": mode} if mode else {"mediaSourceId": "S"})
    for second, (_, objects) in enumerate(snapshots):
        objects["OV"]["framesEncoded"] = 60 * second
        objects["S"] = {"type": "media-source", "frames": 20 * second}
    assert {video_of(received).frame_rate for received in reported(rtcstats(snapshots))} == {20}


def test_layers_of_unknown_rate_have_none() -> None:
    assert video_of(reported(rtcstats(call(OV={"scalabilityMode": "L3T3"})))[0]).frame_rate is None


@pytest.mark.parametrize("known", [{}, {"trackId": "TR"}, {"mediaSourceId": "S"}])
def test_layers_of_a_simulcast_camera_without_a_place_are_one_camera(known: dict[str, str]) -> None:
    snapshots = call(OV={"mid": None, "ssrc": 1} | known)
    for second, (_, objects) in enumerate(snapshots):
        layer = {"ssrc": 2, "frameWidth": 320, "bytesSent": 25_000 * second}
        objects["OW"] = objects["OV"] | layer
    received, *_ = reported(rtcstats(snapshots))
    assert set(streams(received)) == {CAMERA, MIC}
    assert video_of(received) == Video(None, 25, 1280, 720, 1200)


def test_two_cameras_without_a_place_are_told_apart_by_their_description() -> None:
    snapshots = call(OV={"mid": None, "ssrc": 1})
    for _, objects in snapshots:
        objects |= {f"O{ssrc}": objects["OV"] | {"ssrc": ssrc} for ssrc in (2, 3)}
    lines = [f"a=ssrc:{ssrc} msid:me {track}" for ssrc, track in ((1, "one"), (2, "one"), (3, "two"))]
    local = {"sdp": "v=0\r\n" + section("a=mid:video", *lines, kind="video")}
    dump = rtcstats(snapshots, events=[["setLocalDescription", "PC_0", local]])
    assert set(streams(reported(dump)[0])) == {CAMERA, ("local", "camera-2", "send"), MIC}


# Pictures


PADDING = {"type": "inbound-rtp", "kind": "video", "mid": "5", "bytesReceived": 0, "framesDecoded": 0}


@pytest.mark.parametrize(("received", "lost"), [(0, 0), (None, 0), (0, 3)])
def test_padding_is_no_picture_of_0_fps(received: int | None, lost: int) -> None:
    snapshots = call()
    for second, (_, objects) in enumerate(snapshots):
        objects["IV"] = PADDING | {"packetsReceived": 8 * second, "packetsLost": lost * second}
        if received is not None:
            objects["IV"]["framesReceived"] = received
    reports = reported(rtcstats(snapshots))
    assert all(set(streams(received)) == {CAMERA, MIC} for received in reports)


def test_a_picture_that_cannot_be_decoded_is_one_of_0_fps() -> None:
    snapshots = call()
    for second, (_, objects) in enumerate(snapshots):
        counters = {"packetsReceived": 80 * second, "bytesReceived": 80_000 * second, "framesReceived": 20 * second}
        objects["IV"] = PADDING | counters
    assert video_of(reported(rtcstats(snapshots))[0], ("remote-1", "camera", "recv")).frame_rate == 0


def test_a_picture_that_came_or_went_meanwhile_is_not_slow() -> None:
    snapshots = call()
    for second, (_, objects) in enumerate(snapshots):
        frames = max(0, 25 * (second - 6))
        objects["OV"] |= {"framesEncoded": frames} | ({"framesPerSecond": 25} if second > 6 else {})
    assert [video_of(received).frame_rate for received in reported(rtcstats(snapshots))] == [None, 25, 25, 25]


@pytest.mark.parametrize(
    ("quantiser", "size", "frame_rate"), [(8, 60, None), (None, 60, None), (110, 60, 20), (8, 6000, 20)]
)
def test_black_frames_are_a_camera_that_is_off(quantiser: int | None, size: int, frame_rate: int | None) -> None:
    snapshots = call()
    for second, (_, objects) in enumerate(snapshots):
        objects["IV"] = snapshot(0)["OV"] | {
            "type": "inbound-rtp",
            "mid": "5",
            "codecId": "CV",
            "packetsReceived": 20 * second,
            "bytesReceived": 20 * size * second,
            "framesDecoded": 20 * second,
            "framesReceived": 20 * second,
        }
        del objects["IV"]["framesEncoded"]
        if quantiser is not None:
            objects["IV"]["qpSum"] = 20 * quantiser * second
        objects["CV"] = {"type": "codec", "mimeType": "video/VP8"}
    stream = streams(reported(rtcstats(snapshots))[0])["remote-1", "camera", "recv"]
    assert stream.network
    assert (stream.video and (stream.video.frame_rate, stream.video.codec)) == (frame_rate and (20, "VP8"))


def test_freezes_and_concealment_are_of_the_interval() -> None:
    snapshots = call()
    for second, (_, objects) in enumerate(snapshots):
        objects["IV"] = snapshot(second)["OV"] | {
            "type": "inbound-rtp",
            "mid": "5",
            "packetsReceived": 100 * second,
            "bytesReceived": 125_000 * second,
            "framesDecoded": 25 * second,
            "framesDropped": second,
            "freezeCount": 10 + second // 5,
            "totalFreezesDuration": 20 + second / 10,
        }
        del objects["IV"]["framesEncoded"]
        samples = {"totalSamplesReceived": 48_000 * second, "silentConcealedSamples": 4_800 * second}
        objects["IA"] |= samples | {"concealedSamples": 26_400 * second}
    received = reported(rtcstats(snapshots))[1]
    video = video_of(received, ("remote-1", "camera", "recv"))
    assert (video.frames_dropped, video.freeze_count, video.freeze_duration) == (5, 1, 0.5)
    audio = streams(received)[MIC].audio
    assert audio
    assert audio.concealed == 45


# What is refused


LEGACY = [
    {"googTrack_x": {"type": "googTrack"}, "ssrc_1_send": {"type": "ssrc", "packetsSent": 5}},
    {"Conn-audio-1-0": {"type": "googCandidatePair"}},
    {"ssrc_1_recv": {"packetsReceived": 5}},
]


@pytest.mark.parametrize("objects", LEGACY)
def test_legacy_statistics_are_refused_as_such(tmp_path: Path, objects: dict[str, Any]) -> None:
    with pytest.raises(Unusable, match="legacy ones"):
        imported(tmp_path, rtcstats([(START + second, objects) for second in range(21)], described=""))


def test_thirty_seconds_without_a_packet_are_not_too_short(tmp_path: Path) -> None:
    silent = call(range(31), OV={"packetsSent": 0, "bytesSent": 0}, IA={"packetsReceived": 0, "bytesReceived": 0})
    with pytest.raises(Unusable, match="no packets: nothing was sent or received in 27 s"):
        imported(tmp_path, rtcstats(silent))
    with pytest.raises(Unusable, match="too short"):
        imported(tmp_path, rtcstats(silent[:4]))


def test_nothing_but_padding_is_no_media(tmp_path: Path) -> None:
    padding = [
        (at, {"IV": PADDING | {"packetsReceived": 8 * second, "framesReceived": 0, "packetsLost": 0}})
        for second, (at, _) in enumerate(call(range(31)))
    ]
    with pytest.raises(Unusable, match="no media: the packets of 27 s are padding"):
        imported(tmp_path, rtcstats(padding))


def test_statistics_of_a_media_server_are_refused_as_such(tmp_path: Path) -> None:
    line = json.dumps({"statsSessionId": "x", "type": "identity", "data": {"applicationName": "JVB"}}).replace(
        ": ", ":"
    )
    with pytest.raises(Unusable, match="statistics of a media server"):
        imported(tmp_path, f"{line}\n{line}".encode())


def test_a_track_that_is_in_no_stream_names_nobody(tmp_path: Path) -> None:
    both = {"type": "offer", "sdp": description(m1="ada")["sdp"] + section("a=mid:7", "a=msid:- t")}
    snapshots = call()
    for _, objects in snapshots:
        objects["IB"] = objects["IA"] | {"mid": "7"}
    assert senders(imported(tmp_path, rtcstats(snapshots, described=both))[0]) == {"ada", "remote-1"}
