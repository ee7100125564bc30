"""Two SDKs that report under one id."""

from collections.abc import Sequence
from typing import Any

import pytest

from roompulse.report.model import Device, Entry
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.same_id import TwoSdks
from tests.builders import NOW, received, stream

START = 1746616000
LAPTOP, PHONE = Device("desktop", "Linux", "Firefox 140", "wifi"), Device("phone", "iOS 19", "Safari 19", "4g")


def found(reports: Sequence[tuple[float, dict[str, Any]]]) -> TwoSdks | None:
    """The evidence of two SDKs of u1, given reports and the seconds after NOW of each."""
    rooms = RoomsInMemory(Limits(rooms=1, room_users=9, user_streams=9), stale_after=15, leave_after=60)
    for after, fields in reports:
        rooms.expire(NOW + after)
        rooms.apply(received(NOW + after, **({"report_time": START + int(after)} | fields)))
    live = rooms.get("room-1")
    user = live.user("u1") if live else None
    return user.two_sdks if user else None


def versions(*names: str, every: float = 5) -> list[tuple[float, dict[str, Any]]]:
    return [(number * every, {"sdk_version": name}) for number, name in enumerate(names)]


def devices(*some: Device | None) -> list[tuple[float, dict[str, Any]]]:
    return [(5 * number, {"metrics": [Entry("u1", [stream()], one)]}) for number, one in enumerate(some)]


def times(*seconds: float, **fields: Any) -> list[tuple[float, dict[str, Any]]]:
    return [(second, fields) for second in seconds]


class TestByVersionsAndDevices:
    def test_a_version_that_comes_back_is_another_sdk(self) -> None:
        assert found(versions("a", "b", "a")) == TwoSdks(NOW + 10, ("a", "b"))
        assert found(versions("a", "a", "b", "b", "a")) == TwoSdks(NOW + 20, ("a", "b"))

    def test_an_update_is_none(self) -> None:
        assert found(versions("a", "a", "b", "b", "b")) is None
        assert found(versions("a", "b", "c")) is None

    def test_one_that_comes_back_after_long_is_none(self) -> None:
        assert found(versions("a", "b", "a", every=30)) is None

    def test_a_device_that_comes_back_is_another_sdk(self) -> None:
        assert found(devices(LAPTOP, PHONE, LAPTOP)) == TwoSdks(NOW + 10, ("1.2.0",))
        assert found(devices(LAPTOP, None, PHONE, None, LAPTOP)) == TwoSdks(NOW + 20, ("1.2.0",))

    def test_moving_to_another_device_is_none(self) -> None:
        assert found(devices(LAPTOP, LAPTOP, PHONE, PHONE)) is None

    def test_a_device_that_is_not_always_named_or_changes_its_network_is_one(self) -> None:
        on_4g = Device("desktop", "Linux", "Firefox 140", "4g")
        assert found(devices(LAPTOP, None, LAPTOP, on_4g, LAPTOP, None)) is None


class TestByTimes:
    @pytest.mark.parametrize("gap", [1, 2, 3, 4])
    def test_two_tabs_of_one_interval_are_two(self, gap: int) -> None:
        steps = [second for number in range(8) for second in (10 * number, 10 * number + gap)]
        assert found(times(*steps)) == TwoSdks(NOW + steps[-1], ("1.2.0",))

    @pytest.mark.parametrize("behind", [3, 60, 4000])
    def test_two_devices_whose_clocks_differ_are_two(self, behind: int) -> None:
        right = [(5.0 * number, {"report_time": START + 5 * number}) for number in range(10)]
        slow = [(after + 2.5, {"report_time": fields["report_time"] - behind}) for after, fields in right]
        assert found(sorted(right + slow, key=lambda one: one[0]))

    @pytest.mark.parametrize(
        "seconds",
        [
            [5 * number for number in range(30)],
            [number * 5.4 for number in range(30)],
            [0, 1, 6, 7, 9, 14, 19, 20, 21, 26, 31, 33, 38, 43, 44, 49],
            [0, 1, 5, 6, 10, 15, 20, 21, 25, 26, 30],
        ],
    )
    def test_one_sdk_of_any_steady_or_uneven_pace_is_one(self, seconds: list[float]) -> None:
        assert found(times(*seconds)) is None

    def test_a_report_that_is_sent_again_is_no_second_sdk(self) -> None:
        assert found([(after, {}) for number in range(10) for after in (5 * number, 5 * number + 0.5)]) is None

    def test_one_sdk_that_posts_its_streams_by_turns_is_one(self) -> None:
        parts = [{"metrics": [Entry("u1", [stream(name)])]} for name in ("camera", "mic")]
        steps = [(10.0 * number + number_of, part) for number in range(8) for number_of, part in enumerate(parts)]
        assert found(steps) is None

    def test_kept_reports_that_come_in_their_order_are_of_one(self) -> None:
        kept = [(100 + number / 100, {"report_time": START + 5 * number}) for number in range(20)]
        assert found([(0, {}), *kept, (105, {}), (110, {})]) is None


def test_it_holds_for_a_minute() -> None:
    twice = versions("a", "b", "a", "b")
    assert found([*twice, *times(20, 40, 60, 74.9, sdk_version="b")])
    assert found([*twice, *times(20, 40, 60, 75, sdk_version="b")]) is None


def test_another_user_is_no_second_sdk() -> None:
    others = [
        (after, fields | {"user_id": f"u{1 + number % 2}"})
        for number, (after, fields) in enumerate(versions(*"abababab"))
    ]
    assert found(others) is None
