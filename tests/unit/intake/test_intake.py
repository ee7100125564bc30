import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roompulse.errors import BadRequest, Problem, TooManyRequests, Unavailable
from roompulse.intake.by_version import (
    MOST_SAME_IDS,
    MOST_VERSIONS,
    REMEMBERED,
    SAMPLED_REPORTS,
    HealthByVersion,
    SameId,
    VersionHealth,
)
from roompulse.intake.intake import Intake
from roompulse.intake.refusals import FURTHER_REASONS, MOST_REASONS, Refusals, reason_of, sdk_version_of
from roompulse.intake.units import AUDIO, JITTER, LOSS, MIN_FIGURES, RTT, VIDEO, Kind, Units
from roompulse.intake.window import SlidingCount
from roompulse.meters import Meters
from roompulse.report.decode import Largest, decode_report
from roompulse.report.model import Entry, Stream
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from tests.builders import NOW, REFERENCE, audio, body, network, received, report, stream, video
from tests.conftest import Clock

MINUTE = 60.0
LARGEST = Largest(users=10, streams=10)
LIMITS = Limits(rooms=9, room_users=9, user_streams=9)
NO_ROOMS = RoomsInMemory(LIMITS, stale_after=15, leave_after=60)


class TestACount:
    def test_is_of_its_slots_and_no_more(self) -> None:
        count = SlidingCount(1, 10)
        assert count.total(NOW) == 0
        count.note(5, NOW)
        count.note(2, NOW + 0.9)
        count.note(3, NOW + 9)
        assert count.total(NOW + 9.9) == 10
        assert count.total(NOW + 10) == 3
        assert count.total(NOW + 19) == 0

    def test_takes_what_it_counted_along_when_the_clock_is_set_back(self) -> None:
        count = SlidingCount(1, 10)
        count.note(50, NOW)
        count.note(1, NOW - 3600)
        assert count.total(NOW - 3600) == 1
        assert count.total(NOW - 3590) == 0

    def test_takes_what_comes_a_slot_late(self) -> None:
        count = SlidingCount(60, 15)
        start = NOW // 60 * 60
        count.note(1, start + 1)
        count.note(2, start - 1)
        count.note(4, start + 2)
        assert count.total(start + 3) == 7
        assert count.total(start + 14 * 60) == 5

    def test_keeps_one_number_for_each_slot(self) -> None:
        count = SlidingCount(1, 10)
        for millisecond in range(100_000):
            count.note(1, NOW + millisecond / 1000)
        assert len(count._counts) <= 10
        assert count.total(NOW + 99.999) == 10_000


class TestAReason:
    def test_is_one_wherever_in_a_report_it_is(self) -> None:
        first = reason_of("$.metrics[3].streams[0].direction: invalid enum value 'up'")
        assert first == "$.metrics[].streams[].direction: invalid enum value …"
        assert reason_of("$.metrics[0].streams[12].direction: invalid enum value 'it's \\' down'") == first

    def test_leaves_out_where_the_body_broke_and_how_long_an_id_was(self) -> None:
        assert reason_of("$: JSON is malformed: invalid character (byte 17)") == (
            "$: JSON is malformed: invalid character (byte …)"
        )
        assert reason_of("$.user_id: must have 1 to 128 characters, has 4711") == (
            "$.user_id: must have 1 to 128 characters, has …"
        )
        assert reason_of("$.user_id: must not contain format characters (U+202E at 3)") == (
            "$.user_id: must not contain format characters (…)"
        )

    def test_keeps_the_limits_that_it_names(self) -> None:
        assert reason_of("the body has more than 1000 bytes") == "the body has more than 1000 bytes"

    def test_is_one_line_and_not_long(self) -> None:
        reason = reason_of("$.a: \u202e\n" + "x" * 10_000)
        assert reason.isprintable()
        assert len(reason) < 250


class TestTheVersionOfARefusedReport:
    @pytest.mark.parametrize(
        "sent",
        [
            b'{"metrics":7,"sdk_version":"1.2.0"}',
            b'{"sdk_version":"1.2.0","metrics":[{"us',
            b'{"sdk_version" : "1.2.0", nonsense',
            b'{"user_id":"\xff","sdk_version":"1.2.0"}',
            b'{"sdk_version":"1.2.0","metrics":' + b"[" * 100_000,
        ],
    )
    def test_is_found_however_broken_the_report_is(self, sent: bytes) -> None:
        assert sdk_version_of(sent) == "1.2.0"

    @pytest.mark.parametrize(
        "sent", [b"", b"{", b"[1]", b'{"sdk_version":7}', b'{"sdk_version":"\\q"}', b'{"sdk_version":"' + b"x" * 70_000]
    )
    def test_is_unknown_where_the_report_does_not_say(self, sent: bytes) -> None:
        assert sdk_version_of(sent) == ""

    def test_of_a_long_body_is_looked_for_at_its_beginning(self) -> None:
        assert sdk_version_of(b'{"sdk_version":"1.2.0",' + b" " * 100_000) == "1.2.0"
        assert sdk_version_of(b'{"a":"' + b" " * 100_000 + b'","sdk_version":"1.2.0"}') == ""

    @given(st.binary(max_size=300))
    def test_is_looked_for_in_anything(self, sent: bytes) -> None:
        assert isinstance(sdk_version_of(sent), str)


class TestRefusals:
    def test_are_counted_by_reason_with_the_newest_message(self) -> None:
        refusals = Refusals()
        for number in range(3):
            refusals.note(400, f"$.metrics[{number}].user_id: required", NOW + number)
        refusals.note(413, "the body has more than 1000 bytes", NOW)
        first, second = refusals.found(NOW + 5)
        assert (first.status, first.reason, first.count) == (400, "$.metrics[].user_id: required", 3)
        assert (first.last, first.example) == (NOW + 2, "$.metrics[2].user_id: required")
        assert (second.status, second.count) == (413, 1)

    def test_are_forgotten_after_a_quarter_of_an_hour(self) -> None:
        refusals = Refusals()
        refusals.note(400, "$.a: required", NOW)
        assert len(refusals.found(NOW + 14 * MINUTE)) == 1
        assert refusals.found(NOW + 15 * MINUTE) == []

    def test_are_bounded_and_none_is_lost(self) -> None:
        refusals = Refusals()
        for number in range(1000):
            refusals.note(400, f"$.field_{number}: required", NOW)
        found = refusals.found(NOW)
        assert len(found) == MOST_REASONS + 1
        assert (found[0].reason, found[0].count) == (FURTHER_REASONS, 1000 - MOST_REASONS)
        refusals.note(400, "$.late: required", NOW + 20 * MINUTE)
        assert [refusal.reason for refusal in refusals.found(NOW + 20 * MINUTE)] == ["$.late: required"]


WRONG = {
    LOSS: [stream(network=network(packet_loss=0.004 * number)) for number in range(1, 41)],
    JITTER: [stream(network=network(jitter=0.002 * number)) for number in range(1, 41)],
    RTT: [stream(network=network(rtt=0.02 * number)) for number in range(1, 41)],
    VIDEO: [stream(video=video(bitrate=300_000 + number)) for number in range(1, 41)],
    AUDIO: [stream(audio=audio(bitrate=32_000 + number)) for number in range(1, 41)],
}
RIGHT = {
    LOSS: [stream(network=network(packet_loss=0.39 * (number % 3))) for number in range(100)],
    JITTER: [stream(network=network(jitter=0.3 + number / 1000)) for number in range(100)],
    RTT: [stream(network=network(rtt=5 + number / 10)) for number in range(100)],
    VIDEO: [stream(video=video(bitrate=12_000 + number)) for number in range(100)],
    AUDIO: [stream(audio=audio(bitrate=1_536 + number)) for number in range(100)],
}


def questions(streams: list[Stream]) -> list[str]:
    units = Units()
    units.add_streams(streams)
    return list(units.questions())


class TestUnits:
    @pytest.mark.parametrize("kind", WRONG, ids=lambda kind: kind.question)
    def test_that_are_wrong_are_told(self, kind: Kind) -> None:
        assert questions(WRONG[kind]) == [kind.question]

    @pytest.mark.parametrize("kind", RIGHT, ids=lambda kind: kind.question)
    def test_that_are_right_though_small_or_large_are_not(self, kind: Kind) -> None:
        assert questions(RIGHT[kind]) == []

    @pytest.mark.parametrize("kind", WRONG, ids=lambda kind: kind.question)
    def test_are_not_judged_by_a_few_figures(self, kind: Kind) -> None:
        assert questions(WRONG[kind][: MIN_FIGURES - 1]) == []
        assert questions(WRONG[kind][:MIN_FIGURES]) == [kind.question]

    @pytest.mark.parametrize("kind", WRONG, ids=lambda kind: kind.question)
    def test_are_not_judged_by_a_figure_that_stands_still(self, kind: Kind) -> None:
        assert questions(WRONG[kind][:1] * 100) == []

    def test_one_figure_that_is_plain_percent_or_ms_acquits_the_small_ones(self) -> None:
        acquitting = stream(network=network(packet_loss=3, jitter=12, rtt=80))
        for kind in (LOSS, JITTER, RTT):
            assert questions([*WRONG[kind], acquitting]) == []

    def test_a_leap_of_a_counter_is_no_wrong_unit(self) -> None:
        assert questions([*RIGHT[VIDEO], stream(video=video(bitrate=9_000_000))]) == []

    def test_what_is_zero_or_not_known_says_nothing(self) -> None:
        assert questions([stream(network=network(rtt=None, jitter=0, packet_loss=0), video=None)] * 100) == []

    def test_are_found_in_what_several_minutes_have_together(self) -> None:
        first, second = Units(), Units()
        first.add_streams(WRONG[LOSS][:10])
        second.add_streams(WRONG[LOSS][10:20])
        assert list(first.questions()) == []
        first.add(second)
        assert list(first.questions()) == [LOSS.question]


def of(health: HealthByVersion, version: str | None, now: float = NOW) -> VersionHealth:
    return next(one for one in health.versions(now) if one.version == version)


class TestTheHealthOfAVersion:
    def test_counts_what_was_taken_and_refused(self) -> None:
        health = HealthByVersion()
        health.accepted([received(NOW, user_id="u1"), received(NOW, user_id="u2")])
        health.refused("1.2.0", 400, "$.a: required", NOW + 1)
        found = of(health, "1.2.0")
        assert (found.taken, found.refused, found.newest) == (2, 1, NOW + 1)

    def test_is_of_the_last_quarter_of_an_hour(self) -> None:
        health = HealthByVersion()
        health.accepted([received(NOW)])
        health.accepted([received(NOW + 10 * MINUTE)])
        assert of(health, "1.2.0", NOW + 14 * MINUTE).taken == 2
        assert of(health, "1.2.0", NOW + 15 * MINUTE).taken == 1
        assert health.versions(NOW + 30 * MINUTE) == []

    def test_does_not_stay_for_ever_when_the_clock_is_set_back(self) -> None:
        health = HealthByVersion()
        health.accepted([received(NOW)])
        assert health.versions(NOW - 3600) == []
        health.accepted([received(NOW - 3600)])
        assert of(health, "1.2.0", NOW - 3600).taken == 1

    def test_tells_how_far_clocks_are_off(self) -> None:
        health = HealthByVersion()
        health.accepted(received(NOW, report_time=int(NOW) + ahead) for ahead in (-3, -1, 0, 1, 500))
        found = of(health, "1.2.0")
        assert found.skew is not None
        assert (found.skew.least, found.skew.median, found.skew.most) == (-3, 0, 500)

    def test_knows_no_clock_where_all_was_refused(self) -> None:
        health = HealthByVersion()
        health.refused("1.2.0", 400, "$.a: required", NOW)
        assert of(health, "1.2.0").skew is None

    def test_calls_late_what_history_places_at_its_receipt(self) -> None:
        health = HealthByVersion()
        health.accepted(received(NOW, report_time=int(NOW) + ahead) for ahead in (-601, -600, 600, 601))
        assert of(health, "1.2.0").outside == 2

    def test_calls_repeated_what_comes_again(self) -> None:
        health = HealthByVersion()
        health.accepted([received(NOW), received(NOW + 2)])
        assert of(health, "1.2.0").repeated == 1

    @pytest.mark.parametrize("other", [{"user_id": "u2"}, {"room_id": "room-2"}, {"report_time": 1746616001}])
    def test_calls_not_repeated_what_differs(self, other: dict[str, object]) -> None:
        health = HealthByVersion()
        health.accepted([received(NOW), received(NOW, **other)])
        assert of(health, "1.2.0").repeated == 0

    def test_remembers_so_many_reports_and_not_more_than_twice_as_many(self) -> None:
        health = HealthByVersion()
        health.accepted(received(NOW, report_time=number) for number in range(3 * REMEMBERED))
        kept = health._repeats
        assert REMEMBERED <= len(kept._new) + len(kept._old) <= 2 * REMEMBERED
        health.accepted([received(NOW, report_time=2 * REMEMBERED), received(NOW, report_time=0)])
        assert of(health, "1.2.0").repeated == 1

    def test_looks_at_the_first_reports_of_each_minute_alone(self) -> None:
        health = HealthByVersion()
        fine = [received(NOW, report_time=number) for number in range(SAMPLED_REPORTS)]
        health.accepted([*fine, *(received(NOW, metrics=[Entry("u1", [one])]) for one in WRONG[LOSS])])
        assert of(health, "1.2.0").questions == []
        health.accepted(received(NOW + MINUTE, metrics=[Entry("u1", [one])]) for one in WRONG[VIDEO])
        assert of(health, "1.2.0", NOW + MINUTE).questions == [VIDEO.question]
        assert of(health, "1.2.0", NOW + MINUTE).taken == SAMPLED_REPORTS + 80

    def test_tells_of_units(self) -> None:
        health = HealthByVersion()
        health.accepted([received(NOW, metrics=[Entry("u1", WRONG[LOSS][:20])])])
        found = of(health, "1.2.0")
        assert (found.questions, found.is_odd) == ([LOSS.question], True)


class TestAllVersions:
    def test_come_with_the_odd_ones_first_then_the_busy_ones(self) -> None:
        health = HealthByVersion()
        for version, count in (("fine", 3), ("busy", 5), ("refused", 1)):
            health.accepted(received(NOW, sdk_version=version, report_time=number) for number in range(count))
        health.accepted([received(NOW, sdk_version="units", metrics=[Entry("u1", WRONG[LOSS][:20])])])
        health.refused("refused", 400, "$.a: required", NOW)
        assert [one.version for one in health.versions(NOW)] == ["refused", "units", "busy", "fine"]

    def test_are_bounded_and_the_rest_is_counted_together(self) -> None:
        health = HealthByVersion()
        health.accepted(received(NOW, sdk_version=f"v{number}") for number in range(1000))
        health.refused("v1000", 400, "$.a: required", NOW)
        found = health.versions(NOW)
        assert len(found) == MOST_VERSIONS + 1
        further = of(health, None)
        assert (further.taken, further.refused) == (1000 - MOST_VERSIONS, 1)

    def test_leave_their_places_to_others(self) -> None:
        health = HealthByVersion()
        health.accepted(received(NOW, sdk_version=f"v{number}") for number in range(MOST_VERSIONS))
        health.accepted([received(NOW + 16 * MINUTE, sdk_version="new")])
        assert [one.version for one in health.versions(NOW + 16 * MINUTE)] == ["new"]


@pytest.fixture
def meters() -> Meters:
    return Meters()


@pytest.fixture
def intake(meters: Meters, clock: Clock) -> Intake:
    return Intake(meters, clock)


def counted(meters: Meters, name: str, **labels: str) -> float | None:
    return meters.registry.get_sample_value(f"roompulse_{name}", labels)


class TestTheIntake:
    def test_has_the_rate_of_the_last_ten_seconds(self, intake: Intake, clock: Clock) -> None:
        assert (intake.rate(NOW), intake.newest) == (0, None)
        intake.accepted([received(NOW)] * 5, NO_ROOMS)
        clock.advance(9)
        intake.accepted([received(NOW + 9)] * 3, NO_ROOMS)
        assert (intake.rate(NOW + 9), intake.newest) == (0.8, NOW + 9)
        assert intake.rate(NOW + 10) == 0.3

    def test_counts_reports_samples_and_bytes(self, intake: Intake, meters: Meters) -> None:
        intake.saved(
            [report(), report(metrics=[Entry("u1", [stream(), stream("mic")]), Entry("u2", [stream()])])], complete=2
        )
        intake.acknowledged(REFERENCE)
        assert counted(meters, "reports_total", outcome="accepted") == 2
        assert counted(meters, "samples_total") == 4
        assert counted(meters, "report_bytes_total") == len(REFERENCE)

    @pytest.mark.parametrize(
        ("problem", "outcome"),
        [
            (BadRequest("$.a: required"), "invalid"),
            (TooManyRequests("too many"), "too_many"),
            (TooManyRequests("too many users", reason="room_full"), "room_full"),
            (Unavailable("too many wait", reason="queue_full"), "queue_full"),
            (Problem("whatever"), "other"),
        ],
    )
    def test_counts_refusals_by_reason(self, intake: Intake, meters: Meters, problem: Problem, outcome: str) -> None:
        intake.refused(problem, b"")
        assert counted(meters, "reports_total", outcome=outcome) == 1
        assert counted(meters, "reports_total", outcome="accepted") == 0

    def test_says_which_sdk_was_refused(self, intake: Intake) -> None:
        intake.refused(BadRequest("$.room_id: required"), b'{"sdk_version":"9"}')
        intake.refused(BadRequest("$: nonsense"), b"nonsense")
        assert {one.version: one.refusals[0].reason for one in intake.health()} == {
            "9": "$.room_id: required",
            "": "$: nonsense",
        }

    def test_decodes_and_tells_whose_time_is_in_milliseconds(self, intake: Intake) -> None:
        for version, report_time in (("s", 1746616000), ("ms", 1746616000123)):
            sent = body(sdk_version=version, report_time=report_time)
            report = intake.decode(sent, LARGEST)
            assert report == decode_report(sent)
            assert report.report_time == 1746616000
            intake.accepted([received(sdk_version=version)], NO_ROOMS)
        assert {one.version: one.milliseconds for one in intake.health()} == {"s": False, "ms": True}

    def test_names_users_as_whom_two_sdks_report(self, intake: Intake, clock: Clock) -> None:
        rooms = RoomsInMemory(LIMITS, stale_after=15, leave_after=60)
        for number, version in enumerate(["1.2.0", "1.3.0", "1.2.0"]):
            one = received(NOW + number, sdk_version=version, report_time=1746616000 + number)
            rooms.apply(one)
            intake.accepted([one], rooms)
        (odd, other) = intake.health()
        assert (odd.version, odd.is_odd, other.is_odd) == ("1.2.0", True, False)
        assert odd.same_ids == [SameId("room-1", "u1", ("1.2.0", "1.3.0"), NOW + 2)]
        clock.advance(16 * MINUTE)
        intake.accepted([received(clock.now)], rooms)
        assert [one.same_ids for one in intake.health()] == [[]]

    def test_names_the_newest_of_many_such_users(self, intake: Intake) -> None:
        rooms = RoomsInMemory(Limits(9, 99, 9), stale_after=15, leave_after=60)
        for number in range(MOST_SAME_IDS + 5):
            for version in ("a", "b", "a"):
                one = received(NOW, user_id=f"u{number}", sdk_version=version)
                rooms.apply(one)
                intake.accepted([one], rooms)
        (odd,) = [one for one in intake.health() if one.is_odd]
        assert [one.user_id for one in odd.same_ids] == [f"u{number}" for number in range(5, MOST_SAME_IDS + 5)]

    def test_of_milliseconds_is_forgotten(self, intake: Intake, clock: Clock) -> None:
        intake.decode(body(report_time=1746616000123), LARGEST)
        clock.advance(16 * MINUTE)
        intake.accepted([received(clock.now)], NO_ROOMS)
        assert [one.milliseconds for one in intake.health()] == [False]

    def test_changes_with_a_refusal_and_with_each_minute(self, intake: Intake) -> None:
        before = intake.version(NOW)
        assert intake.version(NOW + 1) == before
        assert intake.version(NOW + MINUTE) != before
        intake.refused(BadRequest("$: nonsense"), b"")
        assert intake.version(NOW) != before

    def test_knows_no_id_in_what_prometheus_reads(self, intake: Intake, meters: Meters) -> None:
        secret = "room-of-nobody-else"  # noqa: S105  (no password)
        intake.accepted([received(room_id=secret, user_id=secret, sdk_version=secret)], NO_ROOMS)
        intake.refused(BadRequest(f"$.a: '{secret}'"), msgspec.json.encode({"sdk_version": secret}))
        assert secret not in str(list(meters.registry.collect()))
