from collections.abc import Sequence
from typing import Any

import pytest

from roompulse.report.model import Audio, Entry, Network, Stream, Video
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.verdict import Named, Words, text_of
from tests.builders import NOW, network, received, stream, video

FINE = network(rtt=20, jitter=2, packet_loss=0)
LOSSY = network(rtt=20, jitter=2, packet_loss=6)
SLOW = network(rtt=400, jitter=5, packet_loss=0)


def sends(user_id: str, *streams: Stream) -> tuple[str, list[Entry]]:
    return user_id, [Entry(user_id, list(streams))]


def receives(user_id: str, sender_id: str, one: Stream) -> tuple[str, list[Entry]]:
    return user_id, [Entry(user_id, [stream(network=FINE)]), Entry(sender_id, [one])]


def users(*user_ids: str, path: Network | None = FINE) -> list[tuple[str, list[Entry]]]:
    return [sends(user_id, stream(network=path, video=None, audio=None)) for user_id in user_ids]


def words(reports: Sequence[tuple[str, list[Entry]]]) -> Words:
    rooms = RoomsInMemory(Limits(rooms=1, room_users=100, user_streams=100), stale_after=15, leave_after=60)
    for number, (user_id, metrics) in enumerate(reports):
        rooms.apply(received(user_id=user_id, metrics=metrics, report_time=5 * number))
    live = rooms.get("room-1")
    assert live
    return live.verdict()


def verdict(*reports: tuple[str, list[Entry]]) -> str:
    return text_of(words(reports))


class TestWithoutTrouble:
    def test_nothing_is_rated(self) -> None:
        assert verdict(*users("u1", "u2", path=None)) == "No user rated: 2 not yet rated"

    def test_everybody_is_good(self) -> None:
        assert verdict(*users("u1", "u2", "u3")) == "Healthy: 3 users good"
        assert verdict(*users("u1")) == "Healthy: 1 user good"

    def test_who_is_unknown_is_not_called_good(self) -> None:
        assert verdict(*users("u1", "u2"), *users("u3", path=None)) == "Healthy: 2 users good, 1 not yet rated"
        assert verdict(*users("u1"), *users("u2", path=None)) == "Healthy: 1 user good, 1 not yet rated"


class TestIsolated:
    def test_it_names_the_link_that_loses(self) -> None:
        rest = users(*(f"u{number}" for number in (1, 2, 4, 5, 6, 7, 8)))
        assert verdict(*rest, sends("u3", stream(network=LOSSY))) == "1 of 8 users affected: u3's uplink loses 6 %"

    def test_it_names_a_downlink(self) -> None:
        bad = receives("u3", "u1", stream(direction="recv", network=network(20, 2, 4.75)))
        assert verdict(*users("u1", "u2"), bad) == "1 of 3 users affected: u3's downlink loses 4.8 %"

    def test_it_names_delay(self) -> None:
        assert verdict(*users("u1", "u2"), sends("u3", stream(network=SLOW))) == (
            "1 of 3 users affected: u3's uplink has 420 ms delay"
        )

    def test_it_names_the_stream_where_it_is_no_matter_of_the_network(self) -> None:
        choppy: dict[str, Any] = {"network": FINE, "video": video(frame_rate=5)}
        assert verdict(*users("u1", "u2"), sends("u3", stream(**choppy))) == (
            "1 of 3 users affected: u3 sends camera at 5 fps"
        )
        assert verdict(*users("u1", "u2"), receives("u3", "u1", stream(direction="recv", **choppy))) == (
            "1 of 3 users affected: u3 receives u1's camera at 5 fps"
        )

    def test_it_says_for_how_much_of_the_time_a_picture_stood_still(self) -> None:
        frozen = stream(direction="recv", network=FINE, video=video(freeze_duration=2))
        twice = [receives("u3", "u1", frozen)] * 2
        assert verdict(*users("u1", "u2"), *twice) == (
            "1 of 3 users affected: u3 receives u1's camera frozen 40 % of the time"
        )

    def test_it_names_the_stream_of_somebody_not_named(self) -> None:
        choppy = stream(direction="recv", network=FINE, video=video(frame_rate=5))
        assert verdict(*users("u1", "u2"), receives("u3", "u3", choppy)) == (
            "1 of 3 users affected: u3 receives camera at 5 fps"
        )

    def test_of_several_it_names_the_worst(self) -> None:
        rest = users("u1", "u2", "u4", "u5")
        mild = sends("u6", stream(network=network(20, 2, 3)))
        assert verdict(*rest, mild, sends("u3", stream(network=LOSSY))) == (
            "2 of 6 users affected; worst: u3's uplink loses 6 %"
        )

    def test_the_costliest_impairment_is_named(self) -> None:
        both = stream(network=network(rtt=300, jitter=5, packet_loss=1))
        assert verdict(*users("u1", "u2"), sends("u3", both)) == "1 of 3 users affected: u3's uplink has 320 ms delay"


class TestWidespread:
    BAD = stream(direction="recv", network=FINE, video=video(frame_rate=6))

    def test_it_names_the_sender_whom_most_receive_badly(self) -> None:
        receivers = [receives(user_id, "u1", self.BAD) for user_id in ("u2", "u3", "u4")]
        assert verdict(*users("u1"), *receivers) == "3 of 4 users affected: all 3 receive u1's camera at 6 fps"
        lossy = sends("u5", stream(network=LOSSY))
        assert verdict(*users("u1"), *receivers, lossy) == (
            "4 of 5 users affected: 3 of them receive u1's camera at 6 fps"
        )

    def test_two_are_both(self) -> None:
        lossy = stream(direction="recv", network=LOSSY)
        receivers = [receives(user_id, "u1", lossy) for user_id in ("u2", "u3")]
        assert verdict(*users("u1"), *receivers) == "2 of 3 users affected: both receive u1's camera with 6 % loss"

    def test_it_names_the_worst_user_where_nothing_is_shared(self) -> None:
        reports = [sends(f"u{number}", stream(network=network(20, 2, 3 + number))) for number in (1, 2, 3)]
        assert verdict(*reports) == "3 of 3 users affected; worst: u3's uplink loses 6 %"

    def test_a_receiver_with_a_bad_network_does_not_put_it_on_a_sender(self) -> None:
        lossy = stream(direction="recv", network=LOSSY)
        senders = [Entry(user_id, [lossy]) for user_id in ("u1", "u2", "u3")]
        assert verdict(*users("u1", "u2", "u3"), ("u4", senders)) == "1 of 4 users affected: u4's downlink loses 6 %"

    def test_no_sender_is_named_where_most_of_them_are_received_badly(self) -> None:
        """Then it is the server, or a network that all of them share."""
        names = ("u1", "u2", "u3", "u4")
        reports = []
        for user_id in names:
            lossy = [stream(direction="recv", network=network(20, 2, 4 + int(user_id[1])))]
            others = [Entry(other, lossy) for other in names if other != user_id]
            reports.append((user_id, [Entry(user_id, [stream(network=FINE)]), *others]))
        assert (
            verdict(*reports)
            == "4 of 4 users affected: everyone receives poor quality from most others (up to 8 % loss)"
        )

    def test_a_sender_whom_most_receive_well_is_not_to_blame(self) -> None:
        lossy = stream(direction="recv", network=LOSSY)
        well = [receives(f"u{number}", "u1", stream(direction="recv", network=FINE)) for number in range(4, 8)]
        badly = [receives(user_id, "u1", lossy) for user_id in ("u2", "u3")]
        assert verdict(*users("u1"), *well, *badly) == "2 of 7 users affected; worst: u2's downlink loses 6 %"


class TestAnUplink:
    """Loss that a sender measures itself is not attributed to its receivers."""

    LOSES = network(rtt=20, jitter=2, packet_loss=10)

    def mic(self, direction: Any, path: Network = LOSES) -> Stream:
        return stream("mic", direction, video=None, network=path)

    def carl(self) -> tuple[str, list[Entry]]:
        return sends("carl", self.mic("send"))

    def hears(self, user_id: str, *others: Entry) -> tuple[str, list[Entry]]:
        own = Entry(user_id, [self.mic("send", FINE)])
        return user_id, [own, Entry("carl", [self.mic("recv")]), *others]

    def test_is_named_in_a_room_of_three(self) -> None:
        well = [self.mic("recv", FINE)]
        ann, bob = self.hears("ann", Entry("bob", well)), self.hears("bob", Entry("ann", well))
        assert verdict(self.carl(), ann, bob) == "3 of 3 users affected: carl's uplink loses 10 %"

    def test_is_named_in_a_room_of_two(self) -> None:
        assert verdict(self.carl(), self.hears("ann")) == "2 of 2 users affected: carl's uplink loses 10 %"

    def test_is_named_with_the_number_of_users_where_others_have_troubles_of_their_own(self) -> None:
        slow = sends("dan", stream(network=SLOW))
        assert verdict(self.carl(), self.hears("ann"), slow, *users("u1", "u2")) == (
            "3 of 5 users affected, 2 of them by one sender: carl's uplink loses 10 %"
        )

    def test_is_not_named_where_it_is_good_by_its_own_measure(self) -> None:
        carl = sends("carl", self.mic("send", FINE))
        assert verdict(carl, self.hears("ann")) == "1 of 2 users affected: ann's downlink loses 10 %"
        assert verdict(carl, self.hears("ann"), self.hears("bob")) == (
            "2 of 3 users affected: both receive carl's mic with 10 % loss"
        )

    def test_is_named_for_what_is_no_matter_of_the_network(self) -> None:
        choppy: dict[str, Any] = {"network": FINE, "audio": None, "video": video(frame_rate=5)}
        assert verdict(sends("u1", stream(**choppy)), receives("u2", "u1", stream(direction="recv", **choppy))) == (
            "2 of 2 users affected: u1 sends camera at 5 fps"
        )

    def test_is_the_only_trouble_where_nobody_receives_it_badly(self) -> None:
        assert verdict(self.carl(), *users("ann")) == "1 of 2 users affected: carl's uplink loses 10 %"


class TestReceivingNothing:
    NOTHING = stream(direction="recv", video=Video(), audio=Audio(), network=Network())
    SENDS = stream(network=FINE)

    def named(self, user_id: str, *sender_ids: str, one: Stream = NOTHING) -> tuple[str, list[Entry]]:
        return user_id, [Entry(sender_id, [one]) for sender_id in sender_ids]

    def test_is_said_where_both_others_send(self) -> None:
        both = sends("ann", self.SENDS), sends("bob", self.SENDS)
        assert verdict(*both, self.named("cid", "ann", "bob")) == "cid receives nothing; 2 users good"
        assert verdict(*both, self.named("cid", "ann"), self.named("dan", "bob"), *users("eve", path=None)) == (
            "cid and 1 other receive nothing; 2 users good, 1 not yet rated"
        )

    def test_is_said_beside_another_trouble(self) -> None:
        assert verdict(sends("ann", stream(network=LOSSY)), self.named("cid", "ann"), *users("u1")) == (
            "1 of 2 users affected: ann's uplink loses 6 %; cid receives nothing"
        )

    def test_is_said_where_nobody_is_rated(self) -> None:
        ann = sends("ann", stream(network=None, audio=None, video=Video(frame_rate=25)))
        deaf = "ann", [*ann[1], Entry("cid", [self.NOTHING])]
        cid = "cid", [Entry("cid", [self.SENDS]), Entry("ann", [self.NOTHING])]
        assert verdict(ann, cid, deaf) == "ann and 1 other receive nothing"

    def test_is_said_of_a_stream_without_bits(self) -> None:
        silent = stream(direction="recv", video=None, audio=Audio(bitrate=0), network=FINE)
        assert verdict(sends("ann", self.SENDS), self.named("cid", "ann", one=silent)) == (
            "cid receives nothing; 1 user good"
        )

    @pytest.mark.parametrize(
        "sent",
        [
            stream(video=None, audio=None, network=None),
            stream(video=Video(), audio=Audio(), network=Network()),
            stream(video=None, audio=Audio(bitrate=3, muted=True), network=FINE),
            stream("screen", network=FINE),
        ],
    )
    def test_is_not_said_of_what_its_sender_does_not_send(self, sent: Stream) -> None:
        assert "nothing" not in verdict(sends("ann", sent), self.named("cid", "ann"))

    def test_is_not_said_of_a_user_who_receives_something(self) -> None:
        both = sends("ann", self.SENDS), sends("bob", self.SENDS)
        cid = "cid", [Entry("ann", [self.NOTHING]), Entry("bob", [stream(direction="recv", network=FINE)])]
        assert verdict(*both, cid) == "Healthy: 3 users good"

    def test_ends_when_the_sender_stops_to_send(self) -> None:
        off = stream(video=Video(), audio=Audio(), network=Network())
        assert verdict(sends("ann", self.SENDS), self.named("cid", "ann"), sends("ann", off)) == (
            "No user rated: 2 not yet rated"
        )


class TestSilence:
    @staticmethod
    def after(seconds: float, *reports: tuple[str, list[Entry]]) -> str:
        """The verdict when the first of these users has been silent for `seconds`, and the others have not."""
        rooms = RoomsInMemory(Limits(rooms=1, room_users=100, user_streams=100), stale_after=15, leave_after=60)
        for number, (user_id, metrics) in enumerate(reports):
            rooms.apply(received(NOW + seconds * (number > 0), user_id=user_id, metrics=metrics))
        rooms.expire(NOW + seconds)
        live = rooms.get("room-1")
        assert live
        return text_of(live.verdict())

    def test_is_neither_good_nor_bad(self) -> None:
        assert self.after(24, *users("bob", "ann")) == "Healthy: 1 user good, 1 unknown (no recent report)"
        assert self.after(14, *users("bob", "ann")) == "Healthy: 2 users good"
        assert self.after(24, sends("bob", stream(network=LOSSY)), *users("ann")) == (
            "Healthy: 1 user good, 1 unknown (no recent report)"
        )

    def test_of_all_leaves_nothing_to_rate(self) -> None:
        assert self.after(24, *users("bob"), *users("ann", path=None)) == (
            "No user rated: 1 not yet rated, 1 unknown (no recent report)"
        )


@pytest.mark.parametrize("odd", ["<img src=x onerror=alert(1)>", "שלום", "a, b's"])
def test_ids_are_pieces_of_their_own(odd: str) -> None:
    sentence = words([*users("u1", "u2"), sends(odd, stream(network=LOSSY))])
    assert Named(odd) in sentence
    assert [word for word in sentence if isinstance(word, str) and odd in word] == []


class TestOfCallsFromEachToEach:
    """Each user sends a separate stream to each other, and measures it by the receiver's reports."""

    def mesh(self, **bad: Network) -> list[tuple[str, list[Entry]]]:
        """Users u1 to u3; `bad` are paths, as in `u1_u3`: what u1 sends to u3."""
        reports = []
        for user in ("u1", "u2", "u3"):
            others = [other for other in ("u1", "u2", "u3") if other != user]
            sent = [
                stream(f"camera-{number}", network=bad.get(f"{user}_{other}", FINE))
                for number, other in enumerate(others)
            ]
            got = [
                Entry(other, [stream("camera", "recv", network=bad.get(f"{other}_{user}", FINE))]) for other in others
            ]
            reports.append((user, [Entry(user, sent), *got]))
        return reports

    def test_who_alone_receives_the_others_badly_has_a_bad_downlink(self) -> None:
        both = self.mesh(u1_u3=LOSSY, u2_u3=LOSSY)
        assert verdict(*both) == "3 of 3 users affected: u3's downlink loses 6 %"
        assert verdict(*self.mesh(u1_u3=LOSSY)) == "2 of 3 users affected: u3's downlink loses 6 %"

    def test_whom_all_others_receive_badly_has_a_bad_uplink(self) -> None:
        both = self.mesh(u3_u1=LOSSY, u3_u2=LOSSY)
        assert verdict(*both) == "3 of 3 users affected: u3's uplink loses 6 %"

    def test_who_sends_and_receives_badly_is_named_and_none_of_those_who_measure_it(self) -> None:
        worse = network(rtt=20, jitter=2, packet_loss=9)
        both_ways = self.mesh(u3_u1=LOSSY, u3_u2=LOSSY, u1_u3=worse, u2_u3=LOSSY)
        assert verdict(*both_ways) == "3 of 3 users affected: u3's downlink loses 9 %"
        slow = self.mesh(u3_u1=SLOW, u3_u2=SLOW, u1_u3=SLOW, u2_u3=SLOW)
        assert verdict(*slow) == "3 of 3 users affected: u3's uplink has 420 ms delay"

    def test_of_several_bad_links_none_is_named_alone(self) -> None:
        everything = {f"u{one}_u{other}": LOSSY for one in (1, 2, 3) for other in (1, 2, 3) if one != other}
        assert "u3" not in verdict(*self.mesh(**everything))
        sentence = verdict(*self.mesh(u1_u2=LOSSY, u2_u3=LOSSY, u3_u1=LOSSY))
        assert "affected; worst: " in sentence
