import pytest

from roompulse import token_buckets
from roompulse.errors import TooManyRequests
from roompulse.web.http.rate_limit import BURST, RateLimit
from tests.conftest import Clock

STREAMS = 100


def spent(senders: RateLimit, key: str = "somebody") -> int:
    """How many reports the sender may post now; afterwards its bucket is empty."""
    for count in range(100_000):
        try:
            senders.spend(key)
        except TooManyRequests:
            return count
    raise AssertionError("there is no limit")


def wait(senders: RateLimit, key: str = "somebody") -> int:
    """Seconds of a sender's `Retry-After`."""
    with pytest.raises(TooManyRequests) as refused:
        senders.spend(key)
    assert refused.value.retry_after
    return refused.value.retry_after


@pytest.mark.parametrize("rate", [1, 10, 200])
def test_a_sender_may_post_five_seconds_worth_at_once_and_no_more(clock: Clock, rate: int) -> None:
    assert spent(RateLimit(rate, STREAMS, clock)) == BURST * rate


def test_who_posts_more_is_refused_and_told_why(clock: Clock) -> None:
    senders = RateLimit(10, STREAMS, clock)
    spent(senders)
    with pytest.raises(TooManyRequests, match="more than 10 reports a second from one sender") as refused:
        senders.spend("somebody")
    assert refused.value.status == 429


def test_the_bucket_fills_at_the_rate(clock: Clock) -> None:
    senders = RateLimit(10, STREAMS, clock)
    spent(senders)
    clock.advance(0.25)
    assert spent(senders) == 2
    clock.advance(1)
    assert spent(senders) == 10


def test_the_bucket_holds_no_more_than_a_burst(clock: Clock) -> None:
    senders = RateLimit(10, STREAMS, clock)
    senders.spend("somebody")
    clock.advance(3600)
    assert spent(senders) == 50


def test_who_keeps_to_the_rate_is_never_refused(clock: Clock) -> None:
    senders = RateLimit(4, STREAMS, clock)
    spent(senders)
    for _ in range(100):
        clock.advance(0.25)
        senders.spend("somebody")


def test_being_refused_costs_nothing(clock: Clock) -> None:
    senders = RateLimit(1, STREAMS, clock)
    spent(senders)
    for _ in range(10):
        wait(senders)
    clock.advance(1)
    assert spent(senders) == 1


@pytest.mark.parametrize(("rate", "seconds"), [(200, 1), (1, 1), (0.5, 1), (0.2, 5), (0.01, 100)])
def test_it_says_when_to_come_back_and_keeps_its_word(clock: Clock, rate: float, seconds: int) -> None:
    senders = RateLimit(rate, STREAMS, clock)
    spent(senders)
    assert wait(senders) == seconds
    clock.advance(seconds)
    senders.spend("somebody")


@pytest.mark.parametrize("rate", [0.1, 0.01])
def test_the_lowest_rate_still_lets_one_report_through(clock: Clock, rate: float) -> None:
    assert spent(RateLimit(rate, STREAMS, clock)) == 1


def test_a_rate_of_0_is_no_limit(clock: Clock) -> None:
    senders = RateLimit(0, STREAMS, clock)
    for _ in range(10_000):
        senders.spend("somebody")
    assert senders._reports is None


def test_a_clock_that_is_set_back_takes_no_tokens_and_gives_none(clock: Clock) -> None:
    senders = RateLimit(1, STREAMS, clock)
    spent(senders)
    clock.advance(-3600)
    assert spent(senders) == 0
    clock.advance(1)
    assert spent(senders) == 1


def test_each_sender_has_a_bucket_of_its_own(clock: Clock) -> None:
    senders = RateLimit(1, STREAMS, clock)
    assert (spent(senders, "one"), spent(senders, "other")) == (BURST, BURST)


def test_it_forgets_the_sender_not_seen_for_longest(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_buckets, "MOST", 3)
    senders = RateLimit(1, STREAMS, clock)
    for key in ("one", "two", "three"):
        spent(senders, key)
    wait(senders, "one")
    senders.spend("four")
    assert spent(senders, "one") == 0
    assert spent(senders, "two") == BURST


def test_it_remembers_no_more_senders_than_it_says(clock: Clock) -> None:
    senders = RateLimit(1, STREAMS, clock)
    for number in range(100_000):
        senders.spend(f"made-up-{number}")
        senders.charge(f"made-up-{number}", 1)
    assert senders._reports
    assert len(senders._reports._buckets) == len(senders._streams._buckets) == token_buckets.MOST


class TestStreams:
    def test_are_paid_for_afterwards_so_that_the_last_report_is_taken_whole(self, clock: Clock) -> None:
        senders = RateLimit(10, STREAMS, clock)
        for _ in range(3):
            senders.spend("somebody")
            senders.charge("somebody", 200)
        with pytest.raises(TooManyRequests, match="more than 100 streams a second from one sender") as refused:
            senders.spend("somebody")
        assert (refused.value.reason, refused.value.retry_after) == ("sender_streams", 2)  # 100 and one more

    def test_are_made_up_for_at_their_rate(self, clock: Clock) -> None:
        senders = RateLimit(10, STREAMS, clock)
        senders.charge("somebody", 5 * STREAMS + 999)
        assert wait(senders) == 10
        clock.advance(9.9)
        assert wait(senders) == 1
        clock.advance(0.2)
        assert spent(senders) == 50

    def test_of_a_refused_report_cost_no_token_of_reports(self, clock: Clock) -> None:
        senders = RateLimit(0.2, STREAMS, clock)
        senders.charge("somebody", 6 * STREAMS)
        assert spent(senders) == 0
        clock.advance(1.1)
        assert spent(senders) == 1

    def test_of_one_sender_do_not_count_for_another(self, clock: Clock) -> None:
        senders = RateLimit(1, STREAMS, clock)
        senders.charge("one", 10 * STREAMS)
        assert (spent(senders, "one"), spent(senders, "other")) == (0, BURST)

    def test_have_no_limit_where_reports_have_none(self, clock: Clock) -> None:
        senders = RateLimit(0, 1, clock)
        senders.charge("somebody", 10**6)
        senders.spend("somebody")
