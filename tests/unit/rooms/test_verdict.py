from collections.abc import Sequence
from typing import Any

import pytest

from roompulse.report.model import Entry, Network, Stream
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.verdict import Named, Words, text_of, verdict_in_words
from tests.builders import network, received, stream, video

FINE = network(rtt=20, jitter=2, packet_loss=0)
LOSSY = network(rtt=20, jitter=2, packet_loss=6)
SLOW = network(rtt=400, jitter=5, packet_loss=0)


def sends(user_id: str, *streams: Stream) -> tuple[str, list[Entry]]:
    return user_id, [Entry(user_id, list(streams))]


def receives(user_id: str, sender_id: str, one: Stream) -> tuple[str, list[Entry]]:
    return user_id, [Entry(user_id, [stream(network=FINE)]), Entry(sender_id, [one])]


def users(*user_ids: str, path: Network | None = FINE) -> list[tuple[str, list[Entry]]]:
    return [sends(user_id, stream(network=path, video=None)) for user_id in user_ids]


def words(reports: Sequence[tuple[str, list[Entry]]]) -> Words:
    rooms = RoomsInMemory(Limits(rooms=1, room_users=100, user_streams=100), stale_after=15, leave_after=60)
    for number, (user_id, metrics) in enumerate(reports):
        rooms.apply(received(user_id=user_id, metrics=metrics, report_time=5 * number))
    live = rooms.get("room-1")
    assert live
    room = live.metrics()
    return verdict_in_words(room, {user.user_id: user for user in room.users}.get)


def verdict(*reports: tuple[str, list[Entry]]) -> str:
    return text_of(words(reports))


class TestWithoutTrouble:
    def test_nobody_has_figures(self) -> None:
        assert verdict(*users("u1", "u2", path=None)) == "unknown: no figures to rate"

    def test_everybody_is_good(self) -> None:
        assert verdict(*users("u1", "u2", "u3")) == "healthy: all 3 are good"
        assert verdict(*users("u1")) == "healthy: the only user is good"

    def test_who_is_unknown_is_not_called_good(self) -> None:
        assert verdict(*users("u1", "u2"), *users("u3", path=None)) == "healthy: all 2 rated are good, 1 unknown"
        assert verdict(*users("u1"), *users("u2", path=None)) == "healthy: the only user rated is good, 1 unknown"


class TestIsolated:
    def test_it_names_the_link_that_loses(self) -> None:
        rest = users(*(f"u{number}" for number in (1, 2, 4, 5, 6, 7, 8)))
        assert verdict(*rest, sends("u3", stream(network=LOSSY))) == "isolated: 1 of 8, u3's uplink loses 6 %"

    def test_it_names_a_downlink(self) -> None:
        bad = receives("u3", "u1", stream(direction="recv", network=network(20, 2, 4.75)))
        assert verdict(*users("u1", "u2"), bad) == "isolated: 1 of 3, u3's downlink loses 4.8 %"

    def test_it_names_delay(self) -> None:
        assert verdict(*users("u1", "u2"), sends("u3", stream(network=SLOW))) == (
            "isolated: 1 of 3, u3's uplink has 420 ms delay"
        )

    def test_it_names_the_stream_where_it_is_no_matter_of_the_network(self) -> None:
        choppy: dict[str, Any] = {"network": FINE, "video": video(frame_rate=5)}
        assert verdict(*users("u1", "u2"), sends("u3", stream(**choppy))) == (
            "isolated: 1 of 3, u3 sends camera at 5 fps"
        )
        assert verdict(*users("u1", "u2"), receives("u3", "u1", stream(direction="recv", **choppy))) == (
            "isolated: 1 of 3, u3 receives u1's camera at 5 fps"
        )

    def test_it_says_for_how_much_of_the_time_a_picture_stood_still(self) -> None:
        frozen = stream(direction="recv", network=FINE, video=video(freeze_duration=2))
        twice = [receives("u3", "u1", frozen)] * 2
        assert verdict(*users("u1", "u2"), *twice) == (
            "isolated: 1 of 3, u3 receives u1's camera frozen 40 % of the time"
        )

    def test_it_names_the_stream_of_somebody_not_named(self) -> None:
        choppy = stream(direction="recv", network=FINE, video=video(frame_rate=5))
        assert verdict(*users("u1", "u2"), receives("u3", "u3", choppy)) == (
            "isolated: 1 of 3, u3 receives camera at 5 fps"
        )

    def test_of_several_it_names_the_worst(self) -> None:
        rest = users("u1", "u2", "u4", "u5")
        mild = sends("u6", stream(network=network(20, 2, 3)))
        assert verdict(*rest, mild, sends("u3", stream(network=LOSSY))) == (
            "isolated: 2 of 6, worst: u3's uplink loses 6 %"
        )

    def test_the_costliest_impairment_is_named(self) -> None:
        both = stream(network=network(rtt=300, jitter=5, packet_loss=1))
        assert verdict(*users("u1", "u2"), sends("u3", both)) == "isolated: 1 of 3, u3's uplink has 320 ms delay"


class TestWidespread:
    BAD = stream(direction="recv", network=FINE, video=video(frame_rate=6))

    def test_it_names_the_sender_whom_most_receive_badly(self) -> None:
        receivers = [receives(user_id, "u1", self.BAD) for user_id in ("u2", "u3", "u4")]
        assert verdict(*users("u1"), *receivers) == "widespread: 3 of 4, all receive u1's camera at 6 fps"
        lossy = sends("u5", stream(network=LOSSY))
        assert verdict(*users("u1"), *receivers, lossy) == (
            "widespread: 4 of 5, 3 of them receive u1's camera at 6 fps"
        )

    def test_two_are_both(self) -> None:
        lossy = stream(direction="recv", network=LOSSY)
        receivers = [receives(user_id, "u1", lossy) for user_id in ("u2", "u3")]
        assert verdict(*users("u1"), *receivers) == "widespread: 2 of 3, both receive u1's camera with 6 % loss"

    def test_it_names_the_worst_user_where_nothing_is_shared(self) -> None:
        reports = [sends(f"u{number}", stream(network=network(20, 2, 3 + number))) for number in (1, 2, 3)]
        assert verdict(*reports) == "widespread: 3 of 3, worst: u3's uplink loses 6 %"

    def test_a_receiver_with_a_bad_network_does_not_put_it_on_a_sender(self) -> None:
        lossy = stream(direction="recv", network=LOSSY)
        senders = [Entry(user_id, [lossy]) for user_id in ("u1", "u2", "u3")]
        assert verdict(*users("u1", "u2", "u3"), ("u4", senders)) == "isolated: 1 of 4, u4's downlink loses 6 %"

    def test_no_sender_is_named_where_most_of_them_are_received_badly(self) -> None:
        """Then it is the server, or a network that all of them share."""
        names = ("u1", "u2", "u3", "u4")
        reports = []
        for user_id in names:
            lossy = [stream(direction="recv", network=network(20, 2, 4 + int(user_id[1])))]
            others = [Entry(other, lossy) for other in names if other != user_id]
            reports.append((user_id, [Entry(user_id, [stream(network=FINE)]), *others]))
        assert verdict(*reports) == "widespread: 4 of 4, all receive most others badly, at worst with 8 % loss"

    def test_a_sender_whom_most_receive_well_is_not_to_blame(self) -> None:
        lossy = stream(direction="recv", network=LOSSY)
        well = [receives(f"u{number}", "u1", stream(direction="recv", network=FINE)) for number in range(4, 8)]
        badly = [receives(user_id, "u1", lossy) for user_id in ("u2", "u3")]
        assert verdict(*users("u1"), *well, *badly) == "isolated: 2 of 7, worst: u2's downlink loses 6 %"


@pytest.mark.parametrize("odd", ["<img src=x onerror=alert(1)>", "שלום", "a, b's"])
def test_ids_are_pieces_of_their_own(odd: str) -> None:
    sentence = words([*users("u1", "u2"), sends(odd, stream(network=LOSSY))])
    assert Named(odd) in sentence
    assert [word for word in sentence if isinstance(word, str) and odd in word] == []
