from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roompulse.quality import (
    BASE,
    BASE_R,
    Level,
    StreamQuality,
    Term,
    UserQuality,
    Verdict,
    arithmetic,
    bits_needed,
    expected_frame_rate,
    is_sent,
    level_of,
    limitation,
    mos,
    nearest_rank,
    rate_room,
    rate_stream,
    rate_user,
    worst,
)
from roompulse.report.model import Audio, Content, Direction, LimitedBy, Network, Stream, Video
from tests.builders import audio, network, stream, video
from tests.unit import streams

FLAWLESS = Network(rtt=0, packet_loss=0, jitter=0)
MUTE = Audio(bitrate=0)
PATH = network(rtt=40, jitter=3, packet_loss=0)


def rated(
    stream_id: str = "camera",
    highest: float = 25,
    seconds: float | None = None,
    direction: Direction = "send",
    **parts: Network | Video | Audio | None,
) -> StreamQuality:
    """The quality of a flawless stream, but for the `parts` given; it reports of the last `seconds`."""
    whole = {"video": video(), "audio": audio(), "network": FLAWLESS} | parts
    return rate_stream(stream(stream_id, direction, **whole), highest, seconds)


def costs(quality: StreamQuality) -> dict[str, float]:
    return {term.term: term.cost for term in quality.terms}


class TestMos:
    def test_its_base_is_that_of_a_flawless_call(self) -> None:
        assert round(mos(94.768), 4) == 4.4376
        assert mos(BASE_R) == BASE

    @pytest.mark.parametrize(("r", "score"), [(0, 1), (-50, 1), (50, 2.575), (60, 3.1), (80, 4.024), (100, 4.5)])
    def test_it_follows_annex_b_of_g_107(self, r: float, score: float) -> None:
        assert mos(r) == pytest.approx(score, abs=1e-9)


class TestScores:
    @pytest.mark.parametrize(
        ("rtt", "jitter", "loss", "score"),
        [
            (45, 8, 0.3, 4.37),
            (100, 15, 1, 4.24),
            (150, 20, 2, 3.90),
            (200, 30, 3, 3.34),
            (300, 30, 5, 2.30),
            (400, 50, 8, 1.14),
        ],
    )
    def test_of_streams_with_video(self, rtt: float, jitter: float, loss: float, score: float) -> None:
        assert rated(network=network(rtt, jitter, loss)).score == score

    @pytest.mark.parametrize(
        ("rtt", "jitter", "loss", "score"),
        [(45, 8, 0.3, 4.39), (100, 15, 1, 4.31), (200, 30, 3, 3.70), (300, 30, 5, 2.96), (600, 60, 10, 1.02)],
    )
    def test_of_audio_alone_as_twilio_publishes_them(
        self, rtt: float, jitter: float, loss: float, score: float
    ) -> None:
        assert rated("mic", video=None, network=network(rtt, jitter, loss)).score == score

    def test_of_a_flawless_stream_is_the_base(self) -> None:
        # But for the ten milliseconds that are in every call, which cost less than half a hundredth.
        assert rated() == StreamQuality(4.43, "good", [Term("delay", 0.0, 10, "ms")])

    def test_of_a_hopeless_stream_is_1(self) -> None:
        hopeless = rated(network=network(600_000, 600_000, 100), video=video(frame_rate=0))
        assert (hopeless.score, hopeless.level) == (1.0, "poor")

    @given(streams, st.floats(0, 1000), st.none() | st.floats(1, 600))
    def test_stay_between_1_and_4_5_and_every_cost_counts(
        self, one: Stream, highest: float, seconds: float | None
    ) -> None:
        quality = rate_stream(one, highest, seconds)
        assert quality.score is None or 1 <= quality.score <= 4.5
        assert all(term.cost >= 0 and -inf < term.value < inf for term in quality.terms)
        shown = BASE - sum(term.cost for term in quality.terms)
        assert quality.score is None or quality.score == 1 or quality.score == pytest.approx(shown, abs=0.03)

    @pytest.mark.parametrize(
        "silent",
        [
            stream(video=None, audio=None, network=None),
            stream(video=None, audio=None, network=network(None, None, None)),
            stream(video=None, audio=Audio(sample_rate=48000, level=0.5), network=None),
            stream(video=None, audio=Audio(bitrate=0), network=None),
            stream(video=Video(), audio=None, network=None),
            stream(video=Video(bitrate=0), audio=None, network=None),
            stream(video=Video(timestamp=1746616000), audio=None, network=Network()),
            stream(video=Video(codec="VP9", content="screen"), audio=None, network=None),
            stream(video=Video(width=1280, height=720, freeze_count=3, freeze_duration=1), audio=None, network=None),
        ],
    )
    def test_of_silent_streams_are_unknown(self, silent: Stream) -> None:
        assert rate_stream(silent, 0) == StreamQuality(None, "unknown", [])

    def test_of_streams_of_which_no_network_is_known_go_by_frames_or_bits(self) -> None:
        assert rated(network=None, video=None, audio=Audio(bitrate=64)).score == 4.44
        assert rated(network=None, audio=None, video=Video(bitrate=900)).score == 4.44
        assert rated(network=None, audio=None, video=Video(frame_rate=0)).score == 1.94

    @pytest.mark.parametrize(
        ("picture", "sound"),
        [
            (None, Audio(bitrate=0)),
            (Video(bitrate=0), None),
            (Video(bitrate=0), Audio(bitrate=0)),
            (Video(), Audio(bitrate=0)),
        ],
    )
    def test_of_received_streams_in_which_nothing_flows_are_unknown(
        self, picture: Video | None, sound: Audio | None
    ) -> None:
        assert rated(direction="recv", network=PATH, video=picture, audio=sound) == StreamQuality(None, "unknown", [])
        assert rated(direction="send", network=PATH, video=picture, audio=sound).level == "good"

    def test_of_received_frames_without_bits_are_not_good(self) -> None:
        quality = rated(direction="recv", network=PATH, audio=None, video=video(bitrate=0))
        assert (quality.score, quality.level) == (2.91, "poor")
        assert Term("picture", 1.5, 0, "bit/pixel") in quality.terms
        assert rated(direction="recv", network=PATH, audio=None, video=video(bitrate=1)).score == 2.91

    def test_of_video_without_network_go_by_the_video(self) -> None:
        assert rated(network=None) == StreamQuality(4.44, "good", [])
        assert costs(rated(network=None, video=video(frame_rate=15))) == {"frame_rate": 0.55}


class TestLevels:
    @pytest.mark.parametrize(
        ("score", "level"),
        [(4.5, "good"), (4.0, "good"), (3.99, "fair"), (3.1, "fair"), (3.09, "poor"), (1.0, "poor"), (None, "unknown")],
    )
    def test_begin_at_their_thresholds(self, score: float | None, level: Level) -> None:
        assert level_of(score) == level

    def test_go_by_the_score_that_is_shown(self) -> None:
        # One loss in a thousand after the other, through every score.
        qualities = [rated(network=network(0, 0, loss / 1000)) for loss in range(9999)]
        levels = {quality.score: quality.level for quality in qualities}
        assert [levels[score] for score in (4.0, 3.99, 3.1, 3.09)] == ["good", "fair", "fair", "poor"]


class TestDelay:
    def test_counts_rtt_and_twice_the_jitter_and_the_codec(self) -> None:
        assert rated(network=network(45, 8, None)).terms == [Term("delay", 0.03, 71, "ms")]

    def test_takes_the_missing_one_for_0(self) -> None:
        assert rated(network=network(100, None, None)) == rated(network=network(100, 0, None))
        assert rated(network=network(None, 50, None)) == rated(network=network(0, 50, None))

    def test_has_no_term_without_both(self) -> None:
        assert costs(rated(network=network(None, None, 1))).keys() == {"loss"}

    def test_weighs_more_from_160_ms_on(self) -> None:
        # 4 of R on both sides of the bend: 159.9 ms by 1/40 each, 160 ms by 1/10 above 120.
        below, above = (round(BASE - mos(BASE_R - d), 2) for d in (149.9 / 40, 4.0))
        assert costs(rated(network=network(139.9, None, None)))["delay"] == below
        assert costs(rated(network=network(150, None, None)))["delay"] == above
        assert costs(rated(network=network(510, None, None)))["delay"] == round(BASE - mos(BASE_R - 40), 2)


class TestLoss:
    def test_weighs_twice_with_video(self) -> None:
        assert costs(rated(network=network(None, None, 4))) == {"loss": round(BASE - mos(BASE_R - 20), 2)}
        assert costs(rated(video=None, network=network(None, None, 8))) == {"loss": round(BASE - mos(BASE_R - 20), 2)}

    def test_costs_what_it_takes_after_the_delay(self) -> None:
        terms = rated(network=network(400, 0, 2)).terms
        r = BASE_R - (410 - 120) / 10
        delay = Term("delay", round(BASE - mos(r), 2), 410, "ms")
        assert terms == [delay, Term("loss", round(mos(r) - mos(r - 10), 2), 2, "%")]

    def test_of_nothing_has_no_term(self) -> None:
        assert rated(network=network(None, None, 0)).terms == []


class TestFrameRate:
    @pytest.mark.parametrize(
        ("fps", "highest", "cost"), [(15, 25, 0.55), (10, 30, 1.66), (1, 30, 2.5), (0.001, 30, 2.5), (0, 30, 2.5)]
    )
    def test_costs_below_four_fifths_of_what_is_expected(self, fps: float, highest: float, cost: float) -> None:
        quality = rated(highest=highest, video=Video(frame_rate=fps))
        assert Term("frame_rate", cost, fps, "fps") in quality.terms

    @pytest.mark.parametrize(("fps", "highest"), [(25, 25), (20, 25), (24, 30), (12, 12)])
    def test_costs_nothing_from_there_on(self, fps: float, highest: float) -> None:
        assert "frame_rate" not in costs(rated(highest=highest, video=Video(frame_rate=fps)))

    @pytest.mark.parametrize(("highest", "expected"), [(25, 25), (30, 30), (60, 30), (15, 15), (5, 15), (0, 15)])
    def test_expects_the_highest_but_at_most_30_and_at_least_15(self, highest: float, expected: float) -> None:
        assert expected_frame_rate(highest) == expected

    @pytest.mark.parametrize(
        ("stream_id", "content", "is_screen"),
        [
            ("camera", "screen", True),
            ("screen", "camera", False),
            ("screen", None, True),
            ("screen-2", None, True),
            ("camera", None, False),
            ("my screen", None, False),
            ("Screen", None, False),
            ("scree", None, False),
        ],
    )
    def test_is_that_of_a_camera_unless_the_content_or_without_it_the_id_says_screen(
        self, stream_id: str, content: Content | None, *, is_screen: bool
    ) -> None:
        terms = costs(rated(stream_id, 25, video=video(frame_rate=5, bitrate=60, content=content)))
        assert ("frame_rate" in terms, "picture" in terms) == (not is_screen, not is_screen)

    @pytest.mark.parametrize("size", [(1920, 1080), (3840, 2160), (640, 360)])
    @pytest.mark.parametrize(("fps", "bitrate"), [(5, 60), (1, 3), (0, 0), (30, 100)])
    def test_of_a_screen_costs_nothing_at_any_size_and_rate(
        self, size: tuple[int, int], fps: float, bitrate: float
    ) -> None:
        share = Video(frame_rate=fps, width=size[0], height=size[1], bitrate=bitrate)
        quality = rated("screen", 30, network=PATH, audio=None, video=share)
        assert (quality.score, quality.level) == (4.41, "good")

    def test_that_is_not_known_costs_nothing(self) -> None:
        assert "frame_rate" not in costs(rated(video=Video(width=1280, height=720, bitrate=1200)))


class TestPicture:
    @pytest.mark.parametrize(
        ("size", "cost", "bits_per_pixel"),
        [
            (video(bitrate=600), 0.24, 0.026),
            (video(bitrate=100), 1.24, 0.0043),
            (video(bitrate=50), 1.5, 0.0022),
            (video(bitrate=1e-6), 1.5, 0),
            (video(bitrate=5e-324, width=65535, height=65535), 1.5, 0),
        ],
    )
    def test_costs_below_4_bits_for_100_pixels(self, size: Video, cost: float, bits_per_pixel: float) -> None:
        assert Term("picture", cost, bits_per_pixel, "bit/pixel") in rated(video=size).terms

    @pytest.mark.parametrize(
        "size",
        [Video(None, 30, 1920, 1080, 2500), video(bitrate=921.6), video(bitrate=10**7)],
    )
    def test_costs_nothing_from_there_on(self, size: Video) -> None:
        assert "picture" not in costs(rated(video=size, highest=30))

    @pytest.mark.parametrize(
        ("figure", "nothing"), [("width", 0), ("height", 0), ("width", None), ("height", None), ("bitrate", None)]
    )
    def test_of_a_camera_that_is_off_is_not_a_bad_one(self, figure: str, nothing: int | None) -> None:
        assert rated(video=video(**{"bitrate": 1, figure: nothing})) == rated()

    def test_of_no_bits_costs_as_much_as_a_picture_can(self) -> None:
        assert costs(rated(video=video(bitrate=0)))["picture"] == 1.5

    @pytest.mark.parametrize(
        ("codec", "needed"),
        [
            ("VP8", 0.04),
            ("H264", 0.04),
            (None, 0.04),
            ("", 0.04),
            ("x-new", 0.04),
            ("VP9", 0.028),
            ("vp9", 0.028),
            ("video/VP9", 0.028),
            ("H265", 0.028),
            ("H.265", 0.028),
            ("HEVC", 0.028),
            ("AV1", 0.02),
            ("video/av1", 0.02),
            ("AV1X", 0.02),
        ],
    )
    def test_needs_fewer_bits_of_newer_codecs(self, codec: str | None, needed: float) -> None:
        assert bits_needed(codec) == pytest.approx(needed)

    @pytest.mark.parametrize(
        ("picture", "score"),
        [
            (Video(None, 30, 1920, 1080, 900, "AV1"), 4.23),
            (Video(None, 30, 1280, 720, 500, "VP9"), 4.17),
            (Video(None, 30, 1920, 1080, 900, "H264"), 3.84),
            (Video(None, 30, 1280, 720, 500), 3.97),
        ],
    )
    def test_of_a_codec_that_needs_less_is_good_with_less(self, picture: Video, score: float) -> None:
        assert rated(network=PATH, highest=30, video=picture).score == score

    @pytest.mark.parametrize("fps", [0, None])
    def test_is_not_judged_without_a_frame_rate(self, fps: int | None) -> None:
        assert "picture" not in costs(rated(video=video(frame_rate=fps, bitrate=1)))


class TestFreeze:
    @pytest.mark.parametrize(
        ("frozen", "seconds", "cost", "percent"),
        [
            (0.2, 10, 0.1, 2),
            (1.2, 10, 0.6, 12),
            (1, 3, 1.67, 33.33),
            (2.5, 5, 2.5, 50),
            (4, 5, 2.5, 80),
            (5, 5, 2.5, 100),
            (7, 5, 2.5, 100),
            (600_000, 1, 2.5, 100),
        ],
    )
    def test_costs_by_its_share_of_the_time_and_from_half_of_it_on_what_a_standing_picture_does(
        self, frozen: float, seconds: float, cost: float, percent: float
    ) -> None:
        quality = rated(network=None, video=video(freeze_duration=frozen), seconds=seconds)
        assert quality.terms == [Term("freeze", cost, percent, "%")]
        assert quality.score == round(BASE - cost, 2)

    def test_of_nothing_costs_nothing(self) -> None:
        assert rated(video=video(freeze_duration=0, freeze_count=3), seconds=10) == rated()
        assert rated(video=video(freeze_count=0), seconds=10) == rated()

    @pytest.mark.parametrize(("count", "cost", "percent"), [(1, 0.25, 5), (4, 1.0, 20), (20, 2.5, 100)])
    def test_that_is_counted_without_its_duration_counts_half_a_second(
        self, count: int, cost: float, percent: float
    ) -> None:
        quality = rated(network=None, video=video(freeze_count=count), seconds=10)
        assert quality.terms == [Term("freeze", cost, percent, "%")]

    def test_is_not_judged_where_nobody_knows_how_long_it_could_have_been(self) -> None:
        assert rated(video=video(freeze_duration=5)) == rated()

    def test_costs_beside_the_frame_rate(self) -> None:
        quality = rated(network=None, video=video(frame_rate=15, freeze_duration=1), seconds=10)
        assert costs(quality) == {"frame_rate": 0.55, "freeze": 0.5}


class TestConcealment:
    @pytest.mark.parametrize(
        ("concealed", "score", "level"),
        [(1, 4.3, "good"), (3, 3.96, "fair"), (7, 3.02, "poor"), (45, 1.0, "poor"), (100, 1.0, "poor")],
    )
    def test_costs_of_received_sound_without_loss(self, concealed: float, score: float, level: Level) -> None:
        quality = rated("mic", direction="recv", network=PATH, video=None, audio=audio(concealed=concealed))
        assert (quality.score, quality.level) == (score, level)
        assert quality.terms[-1].term == "concealment"
        assert (quality.terms[-1].value, quality.terms[-1].unit) == (concealed, "%")

    def test_costs_twice_what_loss_of_sound_does(self) -> None:
        made_up = rated("mic", direction="recv", video=None, audio=audio(concealed=4))
        lossy = rated("mic", direction="recv", video=None, network=network(0, 0, 8))
        assert costs(made_up)["concealment"] == costs(lossy)["loss"]

    @pytest.mark.parametrize(
        ("loss", "concealed", "term"), [(4, 1, "loss"), (4, 2, "loss"), (4, 3, "concealment"), (0, 1, "concealment")]
    )
    def test_is_not_added_to_the_loss_that_it_comes_of(self, loss: float, concealed: float, term: str) -> None:
        quality = rated(
            "mic", direction="recv", video=None, network=network(0, 0, loss), audio=audio(concealed=concealed)
        )
        assert costs(quality).keys() - {"delay"} == {term}

    def test_is_none_of_sound_that_is_sent(self) -> None:
        assert rated("mic", video=None, audio=audio(concealed=50)) == rated("mic", video=None)

    def test_of_nothing_has_no_term(self) -> None:
        assert rated("mic", direction="recv", audio=audio(concealed=0)) == rated("mic", direction="recv")


class TestSending:
    @pytest.mark.parametrize(
        ("one", "sent"),
        [
            (stream(), True),
            (stream(audio=None, video=Video(frame_rate=5)), True),
            (stream(audio=None, video=None), True),
            (stream(video=None, audio=Audio(bitrate=20)), True),
            (stream(video=None, audio=Audio(bitrate=20, muted=True)), False),
            (stream(video=None, audio=Audio(bitrate=0)), False),
            (stream(audio=None, video=Video(bitrate=0)), False),
            (stream(audio=None, video=Video(bitrate=0, frame_rate=0)), False),
            (stream(audio=None, video=Video(), network=Network()), False),
            (stream(audio=None, video=None, network=None), False),
        ],
    )
    def test_is_what_the_figures_of_the_sender_say(self, one: Stream, *, sent: bool) -> None:
        assert is_sent(one) == sent


class TestLimitations:
    @pytest.mark.parametrize(
        ("by", "words"),
        [
            ("cpu", "CPU limits the picture to 320×180 sending camera"),
            ("bandwidth", "bandwidth limits the picture to 320×180 sending camera"),
            ("other", "the encoder limits the picture to 320×180 sending camera"),
            ("none", None),
            (None, None),
        ],
    )
    def test_are_told_in_words(self, by: LimitedBy | None, words: str | None) -> None:
        assert limitation(video(width=320, height=180, limited_by=by), "sending camera") == words

    def test_are_told_without_a_size_too(self) -> None:
        assert limitation(Video(limited_by="cpu"), "sending camera") == "CPU limits the picture sending camera"
        assert limitation(None, "sending mic") is None

    def test_cost_nothing(self) -> None:
        small = video(width=320, height=180, bitrate=100)
        limited = video(width=320, height=180, bitrate=100, limited_by="cpu")
        assert rated(network=PATH, video=limited) == rated(network=PATH, video=small)

    def test_come_last_of_the_reasons(self) -> None:
        lossy = rated(network=network(None, None, 6))
        reasons = rate_user([("camera", lossy)], [], ["CPU limits the picture sending camera"]).reasons
        assert reasons == ["6.0 % packet loss sending camera (−1.1)", "CPU limits the picture sending camera"]


class TestArithmetic:
    def test_reads_as_the_score_and_what_it_is_made_of(self) -> None:
        assert arithmetic(rated(network=network(45, 8, 0.3))) == "4.37 = 4.44 − 0.03 delay − 0.03 loss"

    def test_names_every_cost(self) -> None:
        quality = rated(network=network(45, 8, 0.3), video=video(frame_rate=15, bitrate=300))
        assert arithmetic(quality) == "3.48 = 4.44 − 0.03 delay − 0.03 loss − 0.55 frame rate − 0.34 picture"
        frozen = rated(network=None, video=video(freeze_duration=1.2), seconds=10)
        assert arithmetic(frozen) == "3.84 = 4.44 − 0.60 freeze"

    def test_of_no_costs_is_the_base(self) -> None:
        assert arithmetic(rated(network=None)) == "4.44 = 4.44"

    def test_of_no_score_says_so(self) -> None:
        assert arithmetic(StreamQuality(None, "unknown", [])) == "no figures to rate"


class TestUsers:
    def test_are_as_good_as_the_worse_of_their_directions(self) -> None:
        good, fair = rated(), rated(network=network(150, 20, 2))
        quality = rate_user([("camera", good)], [("u2's camera", fair)])
        assert (quality.score, quality.level) == (3.9, "fair")
        assert (quality.uplink, quality.downlink) == (4.43, 3.9)

    def test_are_as_good_as_the_worst_stream_of_a_direction(self) -> None:
        good, fair = rated(), rated(network=network(150, 20, 2))
        quality = rate_user([("mic", good), ("camera", fair), ("screen", good)], [])
        assert (quality.score, quality.uplink, quality.downlink) == (3.9, 3.9, None)

    def test_without_a_score_are_unknown(self) -> None:
        unknown = StreamQuality(None, "unknown", [])
        assert rate_user([("mic", unknown)], []) == UserQuality(None, "unknown", None, None, [])
        assert rate_user([], []) == UserQuality(None, "unknown", None, None, [])

    def test_have_no_direction_that_nobody_reported(self) -> None:
        quality = rate_user([("mic", StreamQuality(None, "unknown", []))], [("u2's mic", rated())])
        assert (quality.uplink, quality.downlink, quality.score) == (None, 4.43, 4.43)

    def test_read_their_reasons_in_words_the_dearest_first(self) -> None:
        sending = rated(network=network(None, None, 6), video=video(frame_rate=15, bitrate=300))
        receiving = rated(network=network(390, 10, 0))
        assert rate_user([("camera", sending)], [("u2's camera", receiving)]).reasons == [
            "6.0 % packet loss sending camera (−1.1)",
            "420 ms delay receiving u2's camera (−1.1)",
            "15 fps sending camera (−0.6)",
            "0.022 bit/pixel sending camera (−0.3)",
        ]

    def test_that_receive_nothing_are_unknown_and_say_of_what(self) -> None:
        nothing = StreamQuality(None, "unknown", [])
        quality = rate_user([("mic", rated("mic"))], [("u2's camera", nothing)], missing="u2's camera")
        assert (quality.score, quality.level, quality.uplink, quality.downlink) == (None, "unknown", 4.43, None)
        assert quality.reasons == ["receives nothing, though u2's camera is sent"]

    def test_read_of_concealment_as_the_share_of_sound(self) -> None:
        made_up = rated("mic", direction="recv", video=None, audio=audio(concealed=4.25))
        reasons = rate_user([], [("u2's mic", made_up)]).reasons
        assert reasons == ["4.2 % of the sound concealed receiving u2's mic (−0.7)"]

    def test_read_of_a_freeze_as_the_share_of_time(self) -> None:
        frozen = rated(network=None, video=video(freeze_duration=1.2), seconds=10)
        quality = rate_user([], [("u2's camera", frozen)])
        assert quality.reasons == ["picture frozen 12 % of the time receiving u2's camera (−0.6)"]

    def test_are_given_no_reason_for_what_costs_next_to_nothing(self) -> None:
        terms = [Term("delay", 0.09, 100, "ms"), Term("loss", 0.1, 1.0, "%")]
        quality = StreamQuality(4.25, "good", terms)
        assert rate_user([("mic", quality)], []).reasons == ["1.0 % packet loss sending mic (−0.1)"]


class TestRooms:
    @pytest.mark.parametrize(
        ("scores", "verdict"),
        [
            ([], "unknown"),
            ([None, None], "unknown"),
            ([4.4], "healthy"),
            ([4.4, None], "healthy"),
            ([4.4, 4.0, 4.1], "healthy"),
            ([2.0], "isolated"),
            ([2.0, 2.0], "isolated"),
            ([2.0, 2.0, None], "isolated"),
            ([2.0, 4.4, 4.4], "isolated"),
            ([2.0, 3.99, 4.4], "widespread"),
            ([3.5, 3.5, 4.4, 4.4], "widespread"),
            ([2.0, 4.4, 4.4, 4.4], "isolated"),
            ([1.0, 1.0, 1.0], "widespread"),
        ],
    )
    def test_have_a_verdict(self, scores: list[float | None], verdict: Verdict) -> None:
        assert rate_room(scores).verdict == verdict

    def test_count_their_users_by_level(self) -> None:
        room = rate_room((4.4, 4.0, 4.2, 3.9, 3.1, 2.0, None, None, None, None))
        assert (room.good, room.fair, room.poor, room.unknown) == (3, 2, 1, 4)

    @pytest.mark.parametrize(
        ("scores", "score", "level"),
        [
            ([4.4], 4.4, "good"),
            ([4.4, 2.0], 2.0, "poor"),
            ([4.4] * 9 + [2.0], 2.0, "poor"),
            ([4.4] * 10 + [2.0], 4.4, "good"),
            ([4.4] * 19 + [2.0], 4.4, "good"),
            ([4.4] * 18 + [3.5, 2.0], 3.5, "fair"),
            ([4.4, None, None], 4.4, "good"),
            ([None], None, "unknown"),
        ],
    )
    def test_score_the_10th_percentile_of_their_users(
        self, scores: list[float | None], score: float | None, level: Level
    ) -> None:
        room = rate_room(scores)
        assert (room.score, room.level) == (score, level)

    def test_tell_their_worst_user(self) -> None:
        room = rate_room([4.4] * 10 + [1.0])
        assert (room.score, room.level, room.worst, room.poor) == (4.4, "good", 1.0, 1)
        assert rate_room([None]).worst is None


@pytest.mark.parametrize(
    ("percent", "count", "rank"), [(95, 1, 1), (95, 19, 19), (95, 20, 19), (95, 21, 20), (95, 100, 95), (10, 30, 3)]
)
def test_a_percentile_is_the_value_of_the_nearest_rank(percent: float, count: int, rank: int) -> None:
    assert nearest_rank(range(1, count + 1), percent) == rank


def test_the_worst_of_scores_is_the_lowest_that_is_known() -> None:
    assert worst([4.0, None, 2.0]) == 2.0
    assert worst([None]) is None
    assert worst([]) is None
