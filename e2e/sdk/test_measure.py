"""The SDK's figures from getStats(): recordings of Chromium, Firefox's shapes, and rare cases."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser

from e2e.conftest import Watch
from e2e.sdk.stats import CODEC, START, heard, inbound, mic, outbound, pair, sample, source, track
from e2e.sdk.worlds import World
from roompulse.quality import GOOD_FROM, rate_stream
from roompulse.report.model import Stream

RECORDING = Path(__file__).parents[2] / "tests" / "recordings" / "chromium.json"
SCENES: dict[str, list[Any]] = json.loads(RECORDING.read_text())["scenes"]
FIREFOX: dict[str, list[Any]] = json.loads((RECORDING.parent / "firefox.json").read_text())["scenes"]
"""Calls of Firefox 153 with itself and with Chromium, sampled every 5 s. Tracks are disabled, and later enabled,
in the middle of an interval. Firefox's camera was a canvas, its microphone a silent one.
"""


@pytest.fixture(scope="module")
def world(browser: Browser, application: str) -> Iterator[World]:
    """One page for all of them: what is measured keeps nothing."""
    watch, context = Watch(), browser.new_context()
    watch.context(context)
    yield World(context.new_page(), application)
    watch.stop()
    assert watch.unforgiven() == []


def of(side: str, *scenes: str) -> list[Any]:
    """The recorded samples of one side, as one story."""
    return [moment[side] for scene in scenes for moment in SCENES[scene]]


def by_stream(found: list[Any]) -> dict[str, Any]:
    return {one["stream"]: one for one in found}


def score(found: dict[str, Any], *, highest: float = 20) -> float | None:
    """The server's rating of the SDK's report, which it must accept first."""
    stream = {"stream_id": found["stream"], **{key: value for key, value in found.items() if key != "stream"}}
    return rate_stream(msgspec.convert(stream, Stream), highest).score


# Recorded from Chromium


def test_a_sender_reports_its_microphone_camera_and_screen(world: World) -> None:
    first, second, _, last = world.measure(of("sender", "call"))
    assert first == []
    assert [one["stream"] for one in second] == ["mic", "camera", "screen"]
    assert {one["direction"] for one in last} == {"send"}
    mic, camera, screen = last
    assert mic["video"] is None
    assert mic["audio"] == mic["audio"] | {"sample_rate": 48_000, "channels": 2, "codec": "opus", "muted": False}
    assert 10 < mic["audio"]["bitrate"] < 100
    assert 0 < mic["audio"]["level"] <= 1
    assert camera["audio"] is None
    video = camera["video"]
    assert video == video | {"width": 640, "height": 480, "codec": "VP8", "content": "camera"}
    assert video["frame_rate"] == pytest.approx(20, abs=2)
    assert 100 < video["bitrate"] < 3_000
    assert screen["video"] == screen["video"] | {"width": 1280, "height": 720, "content": "screen"}
    for one in last:
        assert one["network"]["packet_loss"] == 0
        assert 0 < one["network"]["rtt"] < 200
        assert 0 < one["network"]["jitter"] < 100


def test_a_receiver_reports_what_it_receives(world: World) -> None:
    found = world.measure(of("receiver", "call"))[-1]
    assert [(one["direction"], one["stream"]) for one in found] == [
        (("recv"), name) for name in ("mic", "camera", "screen")
    ]
    mic, camera, _ = found
    assert mic["audio"] == mic["audio"] | {"sample_rate": 48_000, "channels": 2, "codec": "opus"}
    assert 0 <= mic["audio"]["concealed"] < 20
    assert "muted" not in mic["audio"]
    assert camera["video"]["frame_rate"] == pytest.approx(20, abs=2)
    assert camera["video"] == camera["video"] | {"width": 640, "height": 480, "frames_dropped": 0, "freeze_count": 0}
    for one in found:
        assert one["network"]["packet_loss"] == 0
        assert 0 < one["network"]["rtt"] < 200


def test_a_muted_microphone_and_a_camera_turned_off_are_not_figures(world: World) -> None:
    sent = by_stream(world.measure(of("sender", "call", "disabled"))[-1])
    assert sent["camera"]["video"] is None
    assert sent["mic"]["audio"]["muted"] is True
    assert "level" not in sent["mic"]["audio"]
    assert sent["mic"]["network"]["packet_loss"] == 0
    assert sent["screen"]["video"]["frame_rate"] == pytest.approx(20, abs=2)
    # Chromium keeps sending black frames, at 20 fps and very few bits.
    received = by_stream(world.measure(of("receiver", "call", "disabled"))[-1])
    assert received["camera"]["video"] is None
    assert received["screen"]["video"]["frame_rate"] == pytest.approx(20, abs=2)


def test_what_is_not_sent_any_more_has_no_figures(world: World) -> None:
    sent = by_stream(world.measure(of("sender", "call", "replaced"))[-1])
    assert sent["camera"] == {"stream": "camera", "direction": "send", "video": None, "audio": None, "network": None}
    assert sent["mic"]["audio"] == {"muted": True}
    assert sent["mic"]["network"] is None
    received = by_stream(world.measure(of("receiver", "call", "replaced"))[-1])
    for name in ("mic", "camera"):
        assert received[name] == {
            "stream": name,
            "direction": "recv",
            "video": None,
            "audio": None,
            "network": None,
        }


@pytest.mark.parametrize("side", ["sender", "receiver"])
def test_turning_a_camera_off_and_on_is_never_a_fault(world: World, side: str) -> None:
    """Nor in the intervals in which it happens; network figures of a machine with itself are flawless."""
    rated = 0
    for found in world.measure(of(side, "call", "disabled", "replaced"), longest=20_000):
        for one in found:
            if (points := score(one)) is not None:
                assert points >= GOOD_FROM, one
                rated += 1
    assert rated > 12


def test_simulcast_is_one_stream_of_the_largest_layer_and_all_bits(world: World) -> None:
    moments = of("sender", "simulcast")
    _, found = world.measure(moments)
    camera = by_stream(found)["camera"]
    assert len(found) == 2
    layers = [[stat for stat in one["stats"] if stat["type"] == "outbound-rtp" and "rid" in stat] for one in moments]
    sent = [sum(stat["bytesSent"] for stat in stats) for stats in layers]
    assert len(layers[1]) == 3
    assert camera["video"]["bitrate"] == pytest.approx(8 * (sent[1] - sent[0]) / 5_000, rel=0.05)
    assert camera["video"] == camera["video"] | {"width": 1280, "height": 720}
    assert camera["video"]["frame_rate"] == pytest.approx(20, abs=2)


# Firefox, in the shapes of dom/webidl/RTCStatsReport.webidl of its source: no transport and no transportId, the pair in
# use is `selected`, no `active`, no contentType and no mediaSourceId on outbound-rtp, remote-inbound-rtp with its own
# packetsReceived, no audio source, ids without meaning.


def firefox(at: float) -> list[dict[str, Any]]:
    out = outbound(at, id="a1", codecId="c7")
    del out["active"]
    pair = {"id": "p1", "type": "candidate-pair", "selected": True, "nominated": True, "currentRoundTripTime": 0.03}
    return [
        out,
        heard(at - 0.3, int(at), id="b2", packetsReceived=99 * at, localId="a1"),
        {"id": "p0", "type": "candidate-pair", "selected": False, "nominated": True, "currentRoundTripTime": 9},
        pair,
        source(at, 20 * at),
        {"id": "c7", "type": "codec", "codecType": "encode", "mimeType": "video/VP8", "clockRate": 90_000},
    ]


def test_the_shapes_of_firefox(world: World) -> None:
    sending = [sample(*firefox(at)) for at in (5, 10, 15)]
    (found,) = world.measure(sending)[-1]
    assert found["video"]["frame_rate"] == 20
    assert found["video"]["bitrate"] == 800
    assert found["video"]["codec"] == "VP8"
    assert found["network"] == {"rtt": 45, "packet_loss": pytest.approx(1, abs=0.1), "jitter": 12}
    receiving = [sample(inbound(at), *firefox(at)[2:], direction="recvonly") for at in (5, 10)]
    (found,) = world.measure(receiving)[-1]
    assert found["network"] == {"rtt": 30, "packet_loss": 0, "jitter": 8}


def test_the_rtt_of_a_pair_is_not_believed_while_the_connection_is_interrupted(world: World) -> None:
    found = world.measure(
        [sample(inbound(at), *firefox(at)[2:], direction="recvonly", connectionState="disconnected") for at in (5, 10)]
    )
    assert "rtt" not in found[-1][0]["network"]


@pytest.mark.parametrize("call", FIREFOX)
def test_a_camera_that_is_turned_off_in_a_call_with_firefox_is_off_and_never_poor(world: World, call: str) -> None:
    """Its receiver saw 1 fps, and freezes of 40 % of the interval in which it was turned off."""
    moments = [one["moment"] for one in FIREFOX[call]]
    found = world.measure([one["receiver"] for one in FIREFOX[call]])
    cameras = [by_stream(streams)["camera"] for streams in found[1:]]
    of_moment = list(zip(moments[1:], cameras, strict=True))
    assert [one["video"] for moment, one in of_moment if moment == "off"][1:] == [None] * 3
    for moment, one in of_moment:
        if moment == "off" and one["video"]:
            assert one["video"].keys() & {"frame_rate", "freeze_count", "freeze_duration"} == set()
            points = score(one)
            assert points is not None
            assert points >= GOOD_FROM
    assert all(one["video"]["bitrate"] > 100 for moment, one in of_moment if moment == "call")


def test_a_sender_in_firefox_has_everything_but_the_level_of_its_microphone(world: World) -> None:
    """getStats() of Firefox has no source of audio, so that the level is left out and not 0."""
    samples = [one["sender"] for one in FIREFOX["firefox to firefox"]]
    sent = by_stream(world.measure(samples)[2])
    assert sent["mic"]["audio"].keys() == {"bitrate", "codec", "sample_rate", "channels", "muted"}
    assert sent["camera"]["video"] == sent["camera"]["video"] | {"codec": "VP8", "width": 320, "height": 240}
    assert sent["camera"]["network"]["packet_loss"] == 0
    off = by_stream(world.measure(samples)[5])
    assert (off["camera"]["video"], off["mic"]["audio"]["muted"]) == (None, True)


@pytest.mark.parametrize("encoder", ["Firefox", "Chromium"])
def test_a_receiver_without_a_quantiser_knows_a_camera_that_is_off_by_its_bits(world: World, encoder: str) -> None:
    """Firefox sends about one black frame a second, Chromium 20; both receive them without a qpSum in Firefox."""
    rate, size = {"Firefox": (1, 48), "Chromium": (20, 190)}[encoder]

    def black(at: float) -> Any:
        frames = rate * (at - 10)
        counters = {"framesDecoded": 200 + frames, "framesReceived": 200 + frames, "framesPerSecond": rate}
        held = {"freezeCount": int(at - 10), "totalFreezesDuration": at - 10} if rate == 1 else {}
        return inbound(at, qpSum=None, bytesReceived=1_000_000 + size * frames, **counters, **held)

    samples = [inbound(at, qpSum=None, freezeCount=0, totalFreezesDuration=0) for at in (5, 10)]
    samples += [black(at) for at in (15, 20, 25)]
    found = world.measure([sample(one, direction="recvonly") for one in samples])
    assert [one["video"] and one["video"]["frame_rate"] for streams in found for one in streams] == [
        20,
        None,
        None,
        None,
    ]


def test_a_picture_without_a_quantiser_is_a_picture(world: World) -> None:
    samples = [sample(inbound(at, qpSum=None, bytesReceived=10_000 * at), direction="recvonly") for at in (5, 10)]
    (found,) = world.measure(samples)[-1]
    assert (found["video"]["bitrate"], found["video"]["frame_rate"]) == (80, 20)


def test_the_way_of_the_media_is_known_without_its_addresses(world: World) -> None:
    memory = """async ([stats, state]) => {
      const { measure } = await import("/roompulse.js");
      const memory = { slots: {} };
      measure(new Map(stats.map((stat) => [stat.id, stat])),
        { iceConnectionState: state, getTransceivers: () => [] }, memory, 10_000);
      return JSON.parse(JSON.stringify(memory.connection));
    }"""
    direct = pair(candidateType="srflx", protocol="udp", address="198.51.100.7", networkType="wifi")
    assert world.page.evaluate(memory, [direct, "connected"]) == {
        "candidate_type": "srflx",
        "protocol": "udp",
        "ice_state": "connected",
    }
    relay = pair(candidateType="relay", protocol="udp", relayProtocol="tls")
    assert world.page.evaluate(memory, [relay, "completed"])["protocol"] == "tls"
    assert world.page.evaluate(memory, [[], "checking"]) == {"ice_state": "checking"}


# Loss


def test_loss_is_of_the_interval_and_in_percent(world: World) -> None:
    samples = [sample(inbound(5, packetsLost=400), direction="recvonly")]
    samples += [sample(inbound(10, packetsReceived=975, packetsLost=425), direction="recvonly")]
    assert world.measure(samples)[-1][0]["network"]["packet_loss"] == 5


def test_duplicates_are_no_negative_loss(world: World) -> None:
    samples = [sample(inbound(at, packetsLost=lost), direction="recvonly") for at, lost in ((5, 4), (10, 1))]
    assert world.measure(samples)[-1][0]["network"]["packet_loss"] == 0


def test_loss_of_what_is_sent_is_related_to_what_was_sent_between_receiver_reports(world: World) -> None:
    # The last two are 7.5 s apart: 75 of the 750 packets between them. Where no new one came, the last one stands.
    reports = ((5, (4, 0)), (10, (9, 0)), (15, (14, 0)), (20, (14, 0)), (25, (21.5, 75)))
    found = world.measure([sample(outbound(at), heard(*report)) for at, report in reports])
    assert [streams[0]["network"].get("packet_loss") for streams in found[1:]] == [None, 0, 0, 10]


def test_a_receiver_report_stands_for_ten_seconds_and_no_longer(world: World) -> None:
    found = world.measure([sample(outbound(at), heard(min(at, 10) - 1, 0)) for at in (5, 10, 15, 20, 25)])
    assert [streams[0]["network"].get("rtt") for streams in found[1:]] == [45, 45, None, None]


# Counters and time


def test_counters_that_go_back_are_dropped_and_begin_anew(world: World) -> None:
    found = world.measure(
        [
            sample(outbound(105)),
            sample(outbound(110)),
            sample(outbound(115, bytesSent=100, packetsSent=2, framesEncoded=1)),
            sample(outbound(120, bytesSent=500_100, packetsSent=502, framesEncoded=101)),
        ]
    )
    assert [len(streams) for streams in found] == [0, 1, 0, 1]
    assert found[3][0]["video"]["bitrate"] == 800
    assert found[3][0]["video"]["frame_rate"] == 20


def test_a_new_ssrc_begins_anew(world: World) -> None:
    samples = [sample(outbound(5)), sample(outbound(10)), sample(outbound(15, ssrc=2)), sample(outbound(20, ssrc=2))]
    found = world.measure(samples)
    assert [len(streams) for streams in found] == [0, 1, 0, 1]
    assert found[3][0]["video"]["bitrate"] == 800


def test_a_gap_is_dropped_and_nothing_is_averaged_over_it(world: World) -> None:
    samples = [sample(outbound(5), heard(4.9, 0)), sample(outbound(10), heard(9.9, 0))]
    samples += [sample(outbound(3600), heard(3599, 9_000)), sample(outbound(3605), heard(3604, 9_000))]
    samples += [sample(outbound(3610), heard(3609, 9_000))]
    found = world.measure(samples)
    assert [len(streams) for streams in found] == [0, 1, 0, 1, 1]
    assert "packet_loss" not in found[3][0]["network"]
    assert found[4][0]["network"]["packet_loss"] == 0


def test_two_samples_at_once_are_one(world: World) -> None:
    found = world.measure([sample(outbound(at)) for at in (5, 10, 10.1, 15)])
    assert [len(streams) for streams in found] == [0, 1, 0, 1]
    assert found[3][0]["video"]["bitrate"] == 800


def test_what_ends_is_said_once(world: World) -> None:
    found = world.measure([sample(outbound(5)), sample(outbound(10)), sample(), sample()])
    assert found[2:] == [[{"direction": "send", "stream": "camera"}], []]


def test_what_never_was_is_not_said(world: World) -> None:
    idle: dict[str, Any] = {"bytesSent": 0, "packetsSent": 0, "framesEncoded": 0, "framesPerSecond": None}
    assert world.measure([sample(outbound(at, **idle)) for at in (5, 10)]) == [[], []]


def test_figures_beyond_what_the_server_takes_are_held_within(world: World) -> None:
    wild = {"jitter": 1e9, "bytesReceived": 1e15, "framesDecoded": 1e9, "framesPerSecond": 1e9}
    samples = [sample(inbound(5), direction="recvonly"), sample(inbound(10, **wild), direction="recvonly")]
    found = world.measure(samples)[-1][0]
    assert score(found) is not None
    assert found["network"]["jitter"] == 600_000


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("seconds", [60, 3_600, 31_589])
def test_a_clock_that_is_set_costs_one_interval(world: World, seconds: float, sign: int) -> None:
    """Of a getStats() with a clock set by a suspend, and continuing counters: 1,200 kbit/s before and after."""

    def moment(at: float) -> Any:
        shown = START + 1000 * (at + sign * seconds if at > 20 else at)
        counters = outbound(at, bytesSent=150_000 * at, timestamp=shown)
        return sample(counters, heard(at, 0, timestamp=shown - 100))

    found = world.measure([moment(at) for at in range(5, 61, 5)])
    assert [len(streams) for streams in found] == [0, 1, 1, 1, 0, *[1] * 7]
    rates = [(one["video"]["bitrate"], one["video"]["frame_rate"]) for streams in found for one in streams]
    assert set(rates) == {(1_200, 20)}
    assert [one["network"].get("packet_loss") for streams in found[6:] for one in streams] == [0] * 6


@pytest.mark.parametrize("skew", [-3, -0.6, 3])
def test_so_does_one_that_is_set_by_less_than_an_interval(world: World, skew: float) -> None:
    """Shown only by the page's own clock: 2 s between samples that are 5 s apart would be 3,000 kbit/s."""

    def moment(at: float) -> Any:
        stat = outbound(at, bytesSent=150_000 * at)
        shift = 1000 * skew if at > 10 else 0
        return sample(stat | {"timestamp": stat["timestamp"] + shift}, asked=[1000 * at, 1000 * at + 40])

    found = world.measure([moment(at) for at in (5, 10, 15, 20)])
    assert [[one["video"]["bitrate"] for one in streams] for streams in found] == [[], [1_200], [], [1_200]]


def test_a_page_that_is_slow_to_read_them_has_figures_all_the_same(world: World) -> None:
    asked = ([5_000, 9_000], [10_000, 10_050], [15_000, 17_000])
    found = world.measure([sample(outbound(5 * number), asked=when) for number, when in enumerate(asked, start=1)])
    assert [[one["video"]["bitrate"] for one in streams] for streams in found] == [[], [800], [800]]


def test_a_counter_of_one_layer_that_goes_back_leaves_out_the_interval_and_not_the_layer_alone(world: World) -> None:
    def moment(at: float, **second: Any) -> Any:
        return sample(outbound(at), outbound(at, ssrc=2, frameWidth=320, frameHeight=240, **second))

    found = world.measure([moment(5), moment(10), moment(15, bytesSent=10), moment(20, bytesSent=500_010)])
    assert [[one["video"]["bitrate"] for one in streams] for streams in found] == [[], [1_600], [], [1_600]]


def test_a_frame_counter_that_goes_back_is_no_picture_that_is_off(world: World) -> None:
    samples = [sample(inbound(at), direction="recvonly") for at in (5, 10)]
    samples += [sample(inbound(at, framesDecoded=20 * (at - 15)), direction="recvonly") for at in (15, 20)]
    found = world.measure(samples)
    assert [len(streams) for streams in found] == [0, 1, 0, 1]
    assert found[3][0]["video"]["frame_rate"] == 20


# Layers


@pytest.mark.parametrize(
    ("mode", "layers"), [("L2T3_KEY", 2), ("L3T3_KEY", 3), ("L3T1", 3), ("L2T2h", 2), ("S2T1", 2), ("S3T3", 3)]
)
@pytest.mark.parametrize("shown", [20, 10])
def test_the_layers_of_a_picture_are_not_frames(world: World, mode: str, layers: int, shown: int) -> None:
    figures: dict[str, Any] = {"scalabilityMode": mode, "framesPerSecond": shown}
    samples = [
        sample(outbound(at, framesEncoded=layers * shown * at, **figures), source(at, 20 * at)) for at in (5, 10)
    ]
    (found,) = world.measure(samples)[-1]
    assert found["video"]["frame_rate"] == shown
    assert found["video"]["bitrate"] == 800


@pytest.mark.parametrize("mode", ["L1T2", "L1T3", "L1T3_KEY", None])
def test_layers_in_time_are_frames(world: World, mode: str | None) -> None:
    """One second at the end of the interval does not stand for all of it, where counting is right."""
    samples = [sample(outbound(at, scalabilityMode=mode, framesPerSecond=16), source(at, 20 * at)) for at in (5, 10)]
    assert world.measure(samples)[-1][0]["video"]["frame_rate"] == 20


def test_without_a_rate_of_its_own_it_is_that_of_its_source(world: World) -> None:
    figures: dict[str, Any] = {"scalabilityMode": "L3T3_KEY", "framesPerSecond": None}
    samples = [sample(outbound(at, framesEncoded=60 * at, **figures), source(at, 20 * at)) for at in (5, 10)]
    assert "frame_rate" not in world.measure(samples)[-1][0]["video"]  # it came or went
    figures["framesPerSecond"] = 20
    samples = [sample(outbound(at, framesEncoded=60 * at, **figures), source(at, 20 * at)) for at in (5, 10)]
    assert world.measure(samples)[-1][0]["video"]["frame_rate"] == 20


def test_more_frames_than_the_camera_gives_are_layers_of_an_older_browser(world: World) -> None:
    """Which has no scalabilityMode."""
    samples = [sample(outbound(at, framesEncoded=60 * at), source(at, 20 * at)) for at in (5, 10)]
    assert world.measure(samples)[-1][0]["video"]["frame_rate"] == 20


def test_a_picture_in_layers_of_few_bits_is_no_camera_that_is_off(world: World) -> None:
    large: dict[str, Any] = {"scalabilityMode": "L3T3_KEY", "frameWidth": 1280, "frameHeight": 720}
    samples = [sample(outbound(at, framesEncoded=60 * at, bytesSent=40_000 * at, **large), CODEC) for at in (5, 10)]
    assert world.measure(samples)[-1][0]["video"]["frame_rate"] == 20


@pytest.mark.parametrize(
    ("reasons", "limited_by"),
    [
        (["none"], "none"),
        (["bandwidth"], "bandwidth"),
        (["cpu"], "cpu"),
        (["other"], "other"),
        (["none", "bandwidth"], "bandwidth"),
        (["bandwidth", "none"], "bandwidth"),
        (["sleepy"], None),
        ([None], None),
    ],
)
def test_what_limits_a_picture_is_reported(world: World, reasons: list[str], limited_by: str | None) -> None:
    samples = [
        sample(*(outbound(at, ssrc=n, qualityLimitationReason=why) for n, why in enumerate(reasons))) for at in (5, 10)
    ]
    assert world.measure(samples)[-1][0]["video"].get("limited_by") == limited_by


def test_a_layer_that_the_page_has_paused_limits_nothing(world: World) -> None:
    samples = [
        sample(
            outbound(at, qualityLimitationReason="none"),
            outbound(at, ssrc=2, qualityLimitationReason="bandwidth", active=False),
        )
        for at in (5, 10)
    ]
    assert world.measure(samples)[-1][0]["video"]["limited_by"] == "none"


def test_concealed_samples_are_percent_of_those_of_the_interval(world: World) -> None:
    """Silent ones are inaudible; those before the interval are not counted again."""
    first = mic(5, concealedSamples=100_000, silentConcealedSamples=100_000)
    second = mic(10, concealedSamples=100_000 + 108_000 + 12_000, silentConcealedSamples=112_000)
    (found,) = world.measure([sample(one, direction="recvonly") for one in (first, second)])[-1]
    assert found["audio"]["concealed"] == 45
    assert "muted" not in found["audio"]


# Pictures


def test_a_screen_at_rest_has_no_frame_rate(world: World) -> None:
    shown = track(displaySurface="window")
    samples = [sample(outbound(at, framesEncoded=2 * at), source(at, 2 * at), sent=shown) for at in (5, 10)]
    (found,) = world.measure(samples)[-1]
    assert found["stream"] == "screen"
    assert "frame_rate" not in found["video"]
    assert score(found) == pytest.approx(4.44)
    # While one that moves faster than it is encoded has.
    samples = [sample(outbound(at, framesEncoded=2 * at), source(at, 30 * at), sent=shown) for at in (5, 10)]
    assert world.measure(samples)[-1][0]["video"]["frame_rate"] == 2


@pytest.mark.parametrize("hint", ["detail", "text"])
def test_a_track_of_fine_detail_is_a_screen(world: World, hint: str) -> None:
    samples = [sample(outbound(at), sent=track(contentHint=hint)) for at in (5, 10)]
    assert world.measure(samples)[-1][0]["stream"] == "screen"


@pytest.mark.parametrize("off", [{"enabled": False}, {"muted": True}, {"readyState": "ended"}])
def test_a_track_that_is_off_has_no_picture(world: World, off: dict[str, Any]) -> None:
    samples = [sample(outbound(5)), sample(outbound(10, framesEncoded=120), sent=track(**off))]
    assert world.measure(samples)[-1][0]["video"] is None
    # Nor has one that was off at the beginning of the interval.
    samples = [sample(outbound(5), sent=track(**off)), sample(outbound(10, framesEncoded=120))]
    assert world.measure(samples)[-1][0]["video"] is None


def test_a_screen_at_rest_does_not_freeze_and_is_not_off(world: World) -> None:
    """Of 5 fps and 60 kbit/s at 1920×1080, with frames when something changes; without a quantiser in Firefox."""
    rest: dict[str, Any] = {"frameWidth": 1920, "frameHeight": 1080, "contentType": "screenshare", "framesPerSecond": 5}
    for quantiser in (10, None):
        samples = [
            sample(
                inbound(
                    at,
                    **rest,
                    bytesReceived=7_500 * at,
                    framesDecoded=5 * at,
                    qpSum=quantiser and 5 * at * quantiser,
                    freezeCount=at,
                    totalFreezesDuration=at / 2,
                ),
                CODEC,
                direction="recvonly",
            )
            for at in (5, 10)
        ]
        (found,) = world.measure(samples)[-1]
        assert found["stream"] == "screen"
        assert (found["video"]["width"], found["video"]["bitrate"]) == (1920, 60)
        assert found["video"].keys() & {"frame_rate", "freeze_count", "freeze_duration"} == set()


def test_a_low_frame_rate_of_a_camera_is_reported(world: World) -> None:
    low = [sample(outbound(at, framesEncoded=4 * at, framesPerSecond=4)) for at in (5, 10)]
    assert world.measure(low)[-1][0]["video"]["frame_rate"] == 4


def test_an_encoder_that_stands_still_is_a_fault_and_one_that_was_paused_is_not(world: World) -> None:
    def stalled(**figures: Any) -> Any:
        still = {"bytesSent": 1_000_000, "packetsSent": 1_000, "framesEncoded": 200, "framesPerSecond": None}
        last = sample(outbound(15, **still | figures), source(15, 300))
        return world.measure([sample(outbound(at), source(at, 20 * at)) for at in (5, 10)] + [last])[-1][0]["video"]

    assert stalled()["frame_rate"] == 0
    assert stalled(active=False) is None


def test_packets_without_frames_are_a_fault_where_some_were_lost(world: World) -> None:
    def without_frames(**figures: Any) -> Any:
        still = {"framesDecoded": 200, "framesReceived": 200, "framesPerSecond": None}
        last = sample(inbound(15, **still | figures), direction="recvonly")
        return world.measure([sample(inbound(at), direction="recvonly") for at in (5, 10)] + [last])[-1][0]["video"]

    assert without_frames(packetsLost=40)["frame_rate"] == 0
    assert without_frames(framesReceived=300)["frame_rate"] == 0
    assert without_frames() is None  # only padding, of a sender that is paused


def test_few_bits_are_a_picture_where_they_do_not_suffice(world: World) -> None:
    def few(quantiser: int) -> Any:
        samples = [
            sample(inbound(at, bytesReceived=3_000 * at, qpSum=20 * at * quantiser), CODEC, direction="recvonly")
            for at in (5, 10)
        ]
        return world.measure(samples)[-1][0]["video"]

    assert few(106)["bitrate"] == 24
    assert few(5) is None


def test_what_came_within_the_interval_has_no_low_frame_rate(world: World) -> None:
    idle = {"bytesReceived": 0, "packetsReceived": 0, "framesDecoded": 0, "framesReceived": 0, "framesPerSecond": None}
    begun = {"bytesReceived": 1e5, "packetsReceived": 100, "framesDecoded": 20, "framesReceived": 20}
    found = world.measure(
        [sample(inbound(5, **idle), direction="recvonly"), sample(inbound(10, **begun), direction="recvonly")]
    )
    assert "frame_rate" not in found[-1][0]["video"]
    assert found[-1][0]["video"]["width"] == 640


# Names


def receiving(*mids: str) -> list[Any]:
    return [
        sample(
            *(inbound(at, id=f"I{mid}", mid=mid, ssrc=int(mid)) for mid in mids),
            direction="recvonly",
            mids="".join(mids),
        )
        for at in (5, 10)
    ]


def test_a_name_that_is_a_string_is_whom_everything_comes_from(world: World) -> None:
    (found,) = world.measure(receiving("1"), name="'u2'")[-1]
    assert found["user"] == "u2"
    (found,) = world.measure([sample(outbound(at)) for at in (5, 10)], name="'u2'")[-1]
    assert "user" not in found


def test_a_name_that_is_a_function_is_asked_about_each_track(world: World) -> None:
    name = """(track, { mid, ssrc, direction, kind }) =>
        ({ user: `u${mid}`, stream: [track.id, ssrc, direction, kind].join(" ") })"""
    found = world.measure(receiving("1", "2"), name=name)[-1]
    assert [one["user"] for one in found] == ["u1", "u2"]
    assert found[1]["stream"] == "video-track 2 recv video"


@pytest.mark.parametrize(("name", "user"), [("() => 'u2'", "u2"), ("() => null", None), ("() => ({})", None)])
def test_a_name_may_be_only_a_user_or_nothing(world: World, name: str, user: str | None) -> None:
    (found,) = world.measure(receiving("1"), name=name)[-1]
    assert (found.get("user"), found["stream"]) == (user, "camera")


@pytest.mark.parametrize("name", ["() => 42", "42", "() => ({ user: 42, stream: 7 })", "() => 42n"])
def test_a_name_may_be_a_number(world: World, name: str) -> None:
    (found,) = world.measure(receiving("1"), name=name)[-1]
    assert found["user"] == "42"
    assert found["stream"] in {"camera", "7"}


def by_turns(before: str, after: str) -> str:
    """A name() that answers one thing for two samples, and another one from then on."""
    return f"(() => {{ let asked = 0; return () => (++asked > 2 ? {after} : {before}); }})()"


@pytest.mark.parametrize("ssrc", [1, 2])
def test_a_place_that_is_given_to_another_user_ends_the_stream_of_the_one_before(world: World, ssrc: int) -> None:
    samples = [sample(inbound(at), direction="recvonly") for at in (5, 10)]
    samples += [sample(inbound(at, ssrc=ssrc), direction="recvonly") for at in (15, 20, 25)]
    found = world.measure(samples, name=by_turns("'alice'", "'bob'"))
    assert [[(one["user"], "video" in one) for one in streams] for streams in found] == [
        [],
        [("alice", True)],
        [("alice", False)],
        [("bob", True)],
        [("bob", True)],
    ]
    assert found[3][0]["video"]["bitrate"] == 800


def test_an_old_ssrc_that_stays_beside_the_new_one_is_not_asked_about(world: World) -> None:
    old = inbound(10, lastPacketReceivedTimestamp=10)
    samples = [sample(inbound(at, lastPacketReceivedTimestamp=at), direction="recvonly") for at in (5, 10)]
    samples += [
        sample(old, inbound(at, id="I2", ssrc=2, lastPacketReceivedTimestamp=at, jitter=0.02), direction="recvonly")
        for at in (15, 20)
    ]
    found = world.measure(samples, name="(track, { ssrc }) => ['nobody', 'alice', 'bob'][ssrc]")
    assert [[(one["user"], "video" in one) for one in streams] for streams in found] == [
        [],
        [("alice", True)],
        [("alice", False)],
        [("bob", True)],
    ]
    assert found[3][0]["network"]["jitter"] == 20


def test_two_places_that_are_exchanged_end_both(world: World) -> None:
    name = "(() => { let asked = 0; return (track, { mid }) => (asked++ < 4) === (mid === '1') ? 'alice' : 'bob' })()"
    moments = [
        sample(*(inbound(at, id=f"I{mid}", mid=mid, ssrc=int(mid)) for mid in "12"), direction="recvonly", mids="12")
        for at in (5, 10, 15, 20)
    ]
    found = world.measure(moments, name=name)
    assert [[(one["user"], "video" in one) for one in streams] for streams in found] == [
        [],
        [("alice", True), ("bob", True)],
        [("alice", False), ("bob", False)],
        [("bob", True), ("alice", True)],
    ]


def test_a_sender_that_is_given_to_the_screen_ends_the_camera(world: World) -> None:
    samples = [sample(outbound(at)) for at in (5, 10)]
    samples += [sample(outbound(at), sent=track(displaySurface="window")) for at in (15, 20)]
    found = world.measure(samples)
    assert [[(one["stream"], "video" in one) for one in streams] for streams in found] == [
        [],
        [("camera", True)],
        [("camera", False)],
        [("screen", True)],
    ]
