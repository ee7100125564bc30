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
    expected_frame_rate,
    interval,
    level_of,
    mos,
    nearest_rank,
    rate_room,
    rate_stream,
    rate_user,
    worst,
)
from roompulse.report.model import Content, Network, Stream, Video
from tests.builders import audio, network, stream, video
from tests.unit import streams

FLAWLESS = Network(rtt=0, packet_loss=0, jitter=0)


def rated(
    stream_id: str = "camera", highest: float = 25, seconds: float | None = None, **parts: Network | Video | None
) -> StreamQuality:
    """The quality of a flawless stream, but for the `parts` given; it reports of the last `seconds`."""
    whole = {"video": video(), "audio": audio(), "network": FLAWLESS} | parts
    return rate_stream(stream(stream_id, **whole), highest, seconds)


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
            stream(video=None, network=None),
            stream(video=None, network=network(None, None, None)),
            stream(video=None, audio=None, network=None),
            stream(video=Video(), network=None),
            stream(video=Video(timestamp=1746616000), network=Network()),
            stream(video=Video(codec="VP9", content="screen"), network=None),
        ],
    )
    def test_of_silent_streams_are_unknown(self, silent: Stream) -> None:
        assert rate_stream(silent, 0) == StreamQuality(None, "unknown", [])

    @pytest.mark.parametrize("part", [Video(frames_dropped=0), Video(freeze_count=0), Video(freeze_duration=0)])
    def test_of_video_that_says_only_how_smooth_it_is_are_known(self, part: Video) -> None:
        assert rated(network=None, video=part).score == 4.44

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

    @pytest.mark.parametrize(
        ("stream_id", "highest", "expected"),
        [
            ("camera", 25, 25),
            ("camera", 30, 30),
            ("camera", 60, 30),
            ("camera", 15, 15),
            ("camera", 5, 15),
            ("camera", 0, 15),
            ("screen", 5, 5),
            ("screen-2", 0, 0),
            ("screen", 60, 30),
            ("my screen", 5, 15),
            ("Screen", 5, 15),
            ("scree", 5, 15),
        ],
    )
    def test_expects_the_highest_but_at_most_30_and_at_least_15_unless_a_screen_is_shared(
        self, stream_id: str, highest: float, expected: float
    ) -> None:
        assert expected_frame_rate(stream_id, highest) == expected

    @pytest.mark.parametrize(
        ("stream_id", "content", "expected"),
        [("camera", "screen", 5), ("screen", "camera", 15), ("screen", None, 5), ("camera", None, 15)],
    )
    def test_takes_a_screen_for_what_the_sdk_says_it_is_and_goes_by_its_name_where_it_does_not(
        self, stream_id: str, content: Content | None, expected: float
    ) -> None:
        assert expected_frame_rate(stream_id, 5, content) == expected
        is_rated = "frame_rate" in costs(rated(stream_id, 5, video=Video(frame_rate=5, content=content)))
        assert is_rated == (expected == 15)

    def test_of_a_screen_that_stands_still_costs_nothing(self) -> None:
        assert rated("screen", highest=0, video=Video(frame_rate=0), network=None).score == 4.44
        assert costs(rated("screen", highest=5, video=Video(frame_rate=5))).get("frame_rate") is None
        assert costs(rated("camera", highest=5, video=Video(frame_rate=5)))["frame_rate"] > 1

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

    @pytest.mark.parametrize("figure", ["width", "height", "bitrate"])
    @pytest.mark.parametrize("nothing", [0, None])
    def test_of_a_camera_that_is_off_is_not_a_bad_one(self, figure: str, nothing: int | None) -> None:
        assert rated(video=video(**{"bitrate": 1, figure: nothing})) == rated()

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
        for nothing in (0, None):
            assert rated(video=video(freeze_duration=nothing, freeze_count=3), seconds=10) == rated()

    def test_is_not_judged_where_nobody_knows_how_long_it_could_have_been(self) -> None:
        assert rated(video=video(freeze_duration=5)) == rated()

    def test_costs_beside_the_frame_rate(self) -> None:
        quality = rated(network=None, video=video(frame_rate=15, freeze_duration=1), seconds=10)
        assert costs(quality) == {"frame_rate": 0.55, "freeze": 0.5}


class TestInterval:
    @pytest.mark.parametrize(
        ("since_reported", "since_received", "seconds"),
        [(5, 5.2, 5), (5, 0.01, 5), (1, 59.9, 1), (120, 0.5, 120), (600, 5, 600)],
    )
    def test_goes_by_the_clock_of_the_sender(self, since_reported: int, since_received: float, seconds: float) -> None:
        assert interval(since_reported, since_received, None) == seconds

    @pytest.mark.parametrize(
        ("since_reported", "since_received", "seconds"),
        [(0, 5.2, 5.2), (-5, 5.2, 5.2), (601, 5.2, 5.2), (10**10, 5.2, 5.2), (-(10**10), 0.01, 1), (601, 0, 1)],
    )
    def test_goes_by_the_time_of_receipt_where_that_clock_makes_no_sense(
        self, since_reported: int, since_received: float, seconds: float
    ) -> None:
        assert interval(since_reported, since_received, 7) == seconds

    def test_is_not_known_of_a_stream_that_was_not_heard_of_for_a_minute(self) -> None:
        assert interval(5, 60, 5) is None
        assert interval(5, inf, None) is None
        assert interval(5, 59.999, None) == 5

    def test_is_that_of_before_for_a_report_that_comes_again_at_once(self) -> None:
        assert interval(0, 0.999, 10) == 10
        assert interval(0, 0.999, None) is None
        assert interval(0, 1, 10) == 1


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


@pytest.mark.parametrize(
    ("percent", "count", "rank"), [(95, 1, 1), (95, 19, 19), (95, 20, 19), (95, 21, 20), (95, 100, 95), (10, 30, 3)]
)
def test_a_percentile_is_the_value_of_the_nearest_rank(percent: float, count: int, rank: int) -> None:
    assert nearest_rank(range(1, count + 1), percent) == rank


def test_the_worst_of_scores_is_the_lowest_that_is_known() -> None:
    assert worst([4.0, None, 2.0]) == 2.0
    assert worst([None]) is None
    assert worst([]) is None
