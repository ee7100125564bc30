"""Files of every kind, real ones and broken ones."""

import gzip
import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roompulse.importing import files
from roompulse.importing.files import read
from roompulse.importing.recording import Unusable
from roompulse.importing.reports import reports_of
from roompulse.report.decode import decode_report
from roompulse.report.model import Audio, Network, Video
from tests.builders import NOW
from tests.importing.dumps import (
    RECORDED,
    START,
    Snapshots,
    call,
    chromium_rtcstats,
    file,
    imported,
    internals,
    rtcstats,
    streams,
)

FORMS: dict[str, Callable[[Snapshots], bytes]] = {
    "webrtc-internals": internals,
    "webrtc-internals of before": lambda snapshots: internals(snapshots, times=False),
    "rtcstats": rtcstats,
    "rtcstats of chromium": chromium_rtcstats,
}
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_what_was_recorded_has_plausible_figures(path: Path) -> None:
    reports = reports_of(read(path), "room-1")
    assert 4 <= len(reports) <= 6
    for received in reports:
        found = streams(received)
        users = {user for user, _, _ in found}
        # Both ends were in one page: it sends twice, and gets both back under the names of their media streams.
        assert len(users) == 3
        assert all(user == "local" or len(user) == len("bdcf7774-5db1-4c50-b463-d80a536ea3d3") for user in users)
        assert sorted((stream, direction) for _, stream, direction in found) == sorted(
            [("camera", "recv"), ("mic", "recv")] * 2
            + [(stream, "send") for stream in ("camera", "camera-2", "mic", "mic-2")]
        )
        for (_, stream_id, _), stream in found.items():
            network, video, audio = stream.network, stream.video, stream.audio
            assert network
            assert network.packet_loss == 0
            assert 0 <= (network.rtt or 0) < 200
            assert 0 <= (network.jitter or 0) < 200
            if stream_id.startswith("camera"):
                assert video
                assert (video.width, video.height) == (640, 360)
                assert 10 < (video.frame_rate or 0) < 31
                assert 50 < (video.bitrate or 0) < 3000
            else:
                assert audio
                assert (audio.sample_rate, audio.channels) == (48000, 2)
                assert 10 < (audio.bitrate or 0) < 100


def test_three_records_of_one_call_agree() -> None:
    first, *others = (reports_of(read(path), "room-1") for path in RECORDED)
    for other in others:
        for mine, its in zip(first[:4], other, strict=False):
            assert abs(mine.at - its.at) < 1
            assert {user for user, _, _ in streams(mine)} == {user for user, _, _ in streams(its)}
            for key, stream in streams(mine).items():
                same = streams(its).get(key)
                if key[2] == "recv" and stream.video and same and same.video:
                    assert stream.video.bitrate == pytest.approx(same.video.bitrate, rel=0.05)


@every_form
def test_each_form_of_a_call_gives_the_same_reports(form: Callable[[Snapshots], bytes], tmp_path: Path) -> None:
    reports = imported(tmp_path, form(call()))
    assert [received.at - START for received in reports] == [8, 13, 18, 20]
    for received in reports:
        assert streams(received) == {
            ("local", "camera", "send"): streams(reports[0])["local", "camera", "send"],
            ("ada", "mic", "recv"): streams(reports[0])["ada", "mic", "recv"],
        }
    camera, mic = streams(reports[0]).values()
    assert (camera.video, camera.audio) == (Video(None, 25, 1280, 720, 1000), None)
    assert camera.network == Network(rtt=45, packet_loss=2, jitter=8)
    assert (mic.video, mic.audio) == (None, Audio(None, 48000, 2, 64))
    assert mic.network == Network(rtt=60, packet_loss=2, jitter=4)


@every_form
def test_gzip_changes_nothing(form: Callable[[Snapshots], bytes], tmp_path: Path) -> None:
    content = form(call())
    packed = reports_of(read(file(tmp_path, content, "dump.gz")), "room-1")
    assert packed == imported(tmp_path, content)


class TestInternals:
    def test_members_that_came_later_have_the_times_of_the_last_points(self, tmp_path: Path) -> None:
        late = call(range(6), OV={"frameWidth": None, "frameHeight": None, "framesEncoded": None}) + call(range(6, 21))
        for times in (True, False):
            first, second, *_ = imported(tmp_path, internals(late, times=times))
            assert streams(first)["local", "camera", "send"].video == Video(None, None, 1280, 720, 1000)
            assert streams(second)["local", "camera", "send"].video == Video(None, 25, 1280, 720, 1000)

    def test_a_member_that_misses_values_within_is_not_guessed_at(self, tmp_path: Path) -> None:
        holed = [*call(range(7)), *call([7, 8], OV={"frameWidth": None}), *call(range(9, 21))]
        for received in imported(tmp_path, internals(holed)):
            video = streams(received)["local", "camera", "send"].video
            assert video == Video(None, 25, None, 720, 1000)

    def test_a_description_may_be_in_words(self, tmp_path: Path) -> None:
        words = "type: offer, sdp: v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=msid:grace x\r\n"
        dump = json.loads(internals(call()))
        dump["PeerConnections"]["1-1"]["updateLog"][0]["value"] = words
        first, *_ = imported(tmp_path, json.dumps(dump).encode())
        assert ("grace", "mic", "recv") in streams(first)

    def test_numbers_in_the_place_of_mids_are_mids(self, tmp_path: Path) -> None:
        first, *_ = imported(tmp_path, internals(call(IA={"mid": 1}, OV={"mid": 0})))
        assert set(streams(first)) == {("local", "camera", "send"), ("ada", "mic", "recv")}

    def test_series_without_values_and_derived_ones_do_no_harm(self, tmp_path: Path) -> None:
        dump = json.loads(internals(call()))
        stats = dump["PeerConnections"]["1-1"]["stats"]
        stats |= {
            "OW-kind": stats["OV-kind"],
            "OW-timestamp": {},
            "OX-kind": {"values": '["video"]'},
            "OX-mid": stats["OV-mid"],
        }
        stats |= {"OV-rid": {}, "X-kind": {}, "Y-timestamp": {}, "IA-[a-b]": stats["IA-jitter"], "none": {}}
        assert imported(tmp_path, json.dumps(dump).encode()) == imported(tmp_path, internals(call()))


class TestRtcstats:
    def lines(self, *events: object) -> bytes:
        return "\n".join(map(json.dumps, events)).encode()

    def test_what_did_not_change_is_as_it_was(self, tmp_path: Path) -> None:
        """Formats 1 and 2 leave out unchanged members, and collapse times: 0 is the time of the others."""
        events: list[object] = [{"fileFormat": 2}]
        known: dict[str, object] = {}
        for at, objects in call():
            delta: dict[str, object] = {"timestamp": at * 1000}
            for stats_id, members in objects.items():
                changed = {name: value for name, value in members.items() if known.get(f"{stats_id}-{name}") != value}
                known |= {f"{stats_id}-{name}": value for name, value in members.items()}
                if changed:
                    delta[stats_id] = {**changed, "timestamp": 0}
            events.append(["getstats", "PC_0", delta, at * 1000 + 7])
        first, *others = imported(tmp_path, self.lines(*events))
        assert len(others) == 3
        assert first.at == START + 8
        assert streams(first)["local", "camera", "send"].video == Video(None, 25, 1280, 720, 1000)

    def test_short_names_are_understood_and_null_is_gone(self, tmp_path: Path) -> None:
        """Format 3, compressed: short names, times as deltas, and objects that are not mentioned still exist."""
        events: list[object] = [[39, "PC_0", {}, 1_000], ["create", None, {}, START * 1000 - 1_000]]
        for second in range(31):
            camera = {"79": 100 * second, "80": 125_000 * second, "91": 25 * second}
            delta: dict[str, object] = {"t": (START + second) * 1000, "0": camera}
            if second == 0:
                delta["0"] = camera | {"type": 2, "11": "video", "18": "0", "23": 1280, "24": 720, "5": "2"}
                delta["1"] = {"type": 6, "150": True, "152": 0.06}
                delta["2"] = {"type": 5, "125": "1"}
            if second == 16:
                delta["0"] = None
            if second <= 16:
                events.append(["g" if second else 1, "PC_0", delta, "why", 1000 if second else 0])
        reports = imported(tmp_path, b'RTCStatsDump\n{"fileFormat":3}\n' + self.lines(*events))
        assert [received.at - START for received in reports] == [8, 13, 16]
        for received in reports:
            (stream,) = streams(received).values()
            assert (stream.video, stream.network) == (Video(None, 25, 1280, 720, 1000), Network(60, None, None))

    def test_events_that_are_no_statistics_are_passed_over(self, tmp_path: Path) -> None:
        odd = [[], [1, 2], ["getstats", None, {}, 1e12], ["x", "PC_0", None, "now"], {"a": 1}, [[], "PC_0", {}, 1e12]]
        content = rtcstats(call()) + b"\n\n" + self.lines(*odd, ["getstats", "PC_0", [1], NOW * 1000])
        assert imported(tmp_path, content) == imported(tmp_path, rtcstats(call()))


def flat(content: bytes) -> bytes:
    return json.dumps(json.loads(content)).encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"\x89PNG\r\n\x1a\n", "neither a dump of chrome://webrtc-internals nor one of rtcstats"),
        (b"user,room\n1,2\n", "neither a dump"),
        (b'{"user_id":"u1","metrics":[]}', "JSON, but no dump of chrome://webrtc-internals or rtcstats"),
        (b'{"PeerConnections":[]}', "JSON, but no dump"),
        (b'{"PeerConnections":{"1":{"stats":[]}}}', "JSON, but no dump"),
        (b'{"PeerConnections":{"1":{"stats":{"a-kind":{"values":3}}}}}', "JSON, but no dump"),
        (b"[1,2,3]", "JSON, but no dump of rtcstats"),
        (b'RTCStatsDump\n{"fileFormat":3}', "JSON, but no dump of rtcstats"),
        (internals(call())[:-300], "no JSON, or not all of it"),
        (b'{"PeerConnections":{"\xff":1}}', "no JSON, or not all of it"),
        (b'{"a":' + b"[" * 100_000, "no JSON, or not all of it"),
        (rtcstats(call())[:-30], "line 23 is no JSON, or not all of it"),
        (b"[\n1,\n2]", "line 1 is no JSON"),
        (b"[" * 100_000, "line 1 is no JSON"),
        (b'["getStats","PC_0",{},1e15]', "a time makes no sense: 1e+15 ms since 1970"),
        (b'["getStats","PC_0",{},-1]', "a time makes no sense: -1 ms since 1970"),
        (b'{"PeerConnections":{}}', "no connection in it"),
        (b'["create",null,{},1800000000000]', "no connection in it"),
        (b'{"PeerConnections":{"1-1":{"stats":{},"updateLog":[]}}}', "no media in it"),
        (internals(call(range(3))), "too short"),
        (internals(call(OV={"bytesSent": None}, IA={"bytesReceived": None})), "no counters"),
        (rtcstats(call(OV={"frameWidth": 10**6})), "a figure makes no sense: $.metrics[0].streams[0].video.width"),
        (rtcstats(call(RV={"jitter": 1e9})), "a figure makes no sense: $.metrics[0].streams[0].network.jitter"),
        (gzip.compress(internals(call()))[:-500], "gzip'ed, but not sound, or not all of it"),
        (b"\x1f\x8bnothing", "gzip'ed, but not sound"),
    ],
)
def test_what_cannot_be_imported_says_why_in_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(Unusable) as raised:
        imported(tmp_path, content)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 300


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A dump in which some parts are others."""
    content = draw(st.sampled_from([form(call(range(0, 31, 5))) for form in FORMS.values()]))
    parts = re.split(rb"([\[\]{}:,\"\\ ]+)", content)
    odd = st.sampled_from(
        [b"", b"null", b"-1", b"1e308", b"99999999999999999999", b"x", b"true", b"{}", b"[", b'"', b"0"]
    )
    for _ in range(draw(st.integers(1, 8))):
        parts[draw(st.integers(0, len(parts) - 1))] = draw(odd | st.sampled_from(parts))
    return b"".join(parts)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=damaged())
def test_a_damaged_file_is_refused_in_one_line_if_it_is_not_imported(tmp_path: Path, content: bytes) -> None:
    try:
        reports = imported(tmp_path, content)
    except Unusable as error:
        said = str(error)
    else:
        said = "imported"
        assert all(decode_report(msgspec.json.encode(received.report)) == received.report for received in reports)
    assert len(said.splitlines()) == 1


ICE = [(6, "checking"), (7, "connected"), (9, "disconnected"), (12, "failed"), (13, "connected"), (14, "completed")]
AGAIN = ("ICE connected again", 13)


def ice_events(folder: Path, content: bytes) -> list[tuple[str, int]]:
    """By seconds since START, each of the report that says it."""
    found = []
    for received in imported(folder, content):
        for event in received.report.events or ():
            assert event.time is not None
            assert received.at - 5 < event.time <= received.at
            found.append((event.type, event.time - int(START)))
    return found


class TestIce:
    """Failures and recoveries of a connection are reported like the browser SDK does."""

    @pytest.mark.parametrize("codes", [("oniceconnectionstatechange", "restartIce"), (24, 37)])
    def test_of_rtcstats(self, tmp_path: Path, codes: tuple[Any, Any]) -> None:
        state, restart = codes
        later: dict[float, Sequence[Any]] = {second: (state, "PC_0", said) for second, said in ICE}
        later[12.5] = (restart, "PC_0", None)
        told = ice_events(tmp_path, rtcstats(call(), later=later))
        assert told == [("ICE disconnected", 9), ("ICE failed", 12), ("ICE restarted", 12), AGAIN]

    @pytest.mark.parametrize("words", ["{}", "ICEConnectionState{}"])
    def test_of_webrtc_internals(self, tmp_path: Path, words: str) -> None:
        dump = json.loads(internals(call()))
        dump["PeerConnections"]["1-1"]["updateLog"] += [
            {"type": "iceconnectionstatechange", "value": words.format(said), "timestamp": (START + second) * 1000}
            for second, said in ICE
        ]
        assert ice_events(tmp_path, json.dumps(dump).encode()) == [("ICE disconnected", 9), ("ICE failed", 12), AGAIN]

    def test_without_a_time_or_in_no_words_it_is_passed_over(self, tmp_path: Path) -> None:
        dump = json.loads(internals(call()))
        kind = "iceconnectionstatechange"
        dump["PeerConnections"]["1-1"]["updateLog"] += [{"type": kind, "value": "failed"}, {"type": kind, "value": 3}]
        assert ice_events(tmp_path, json.dumps(dump).encode()) == []
        assert ice_events(tmp_path, rtcstats(call(), later={9: (24, "PC_0", {"state": "failed"})})) == []

    def test_reports_have_no_more_events_than_they_may(self, tmp_path: Path) -> None:
        later = {9 + count / 1000: (24, "PC_0", ("failed", "connected")[count % 2]) for count in range(250)}
        counts = [len(one.report.events or ()) for one in imported(tmp_path, rtcstats(call(range(31)), later=later))]
        assert counts == [0, 100, 100, 50, 0, 0]


def test_a_path_that_is_no_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="No such file"):
        read(tmp_path / "missing")
    with pytest.raises(Unusable, match="Is a directory"):
        read(tmp_path)


def test_a_gigantic_file_is_refused_before_it_fills_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 2**20)
    noise = os.urandom(2**20 + 1)
    for name in ("big.json", "bomb.gz"):
        with pytest.raises(Unusable, match=r"more than 1 MB \(unpacked\)"):
            read(file(tmp_path, noise, name))
    assert reports_of(read(file(tmp_path, flat(internals(call())))), "room-1")
