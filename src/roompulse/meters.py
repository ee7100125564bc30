"""What is counted for Prometheus where it happens; `web/api/metrics.py` adds what can be looked up at any time.

docs/metrics.md has a row for each. No id and no version is ever a label, so there are no more series than stated there.
"""

import asyncio

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from roompulse.errors import REASONS, Reason
from roompulse.periodic import every

LOOP_LOOK_EVERY = 0.5
"""Seconds between two looks at how late the event loop is."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_REPORTS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class Meters:
    """On a registry of its own: there may be several applications in a process."""

    def __init__(self) -> None:
        # Otherwise each counter has another series for the time at which it began, which nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        reports = self._counter("reports", "Reports, by what became of them", ["outcome"])
        self.accepted = reports.labels("accepted")
        self.left = reports.labels("left")
        self.refused: dict[Reason, Counter] = {reason: reports.labels(reason) for reason in REASONS}
        self.mistakes = self._counter("mistakes", "Requests answered with 500, whatever they asked for")
        self.bytes = self._counter("report_bytes", "Bodies of accepted reports")
        self.samples = self._counter("samples", "Samples of streams in accepted reports")
        self.commit = self._histogram("commit_seconds", "Time that a commit of reports took", _SECONDS)
        self.batch = self._histogram("batch_reports", "Reports in a commit", _REPORTS)
        self.frames = self._counter("frames", "Parts of pages and rooms put into the mailboxes of viewers")
        self.frames_dropped = self._counter(
            "frames_dropped", "Those of them that a newer one replaced before it was read"
        )
        self.readers_dropped = self._counter("readers_dropped", "Clients cut off since they did not read")
        self.push_lag = self._histogram(
            "push_lag_seconds", "Time from a change to its frames in the mailboxes", _SECONDS
        )
        self.loop_lag = self._histogram("event_loop_lag_seconds", "How late the event loop wakes who sleeps", _SECONDS)

    def _counter(self, name: str, words: str, labels: "list[str] | tuple[()]" = ()) -> Counter:
        return Counter(f"roompulse_{name}", words, labels, registry=self.registry)

    def _histogram(self, name: str, words: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"roompulse_{name}", words, buckets=buckets, registry=self.registry)

    def pushed(self, frames: int, unread: int, lag: float) -> None:
        """Note what one push put into mailboxes, what it replaced there, and how long after the change (seconds)."""
        self.frames.inc(frames)
        self.frames_dropped.inc(unread)
        self.push_lag.observe(lag)

    async def watch_loop(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + LOOP_LOOK_EVERY

        async def observe() -> None:
            nonlocal due
            now = loop.time()
            self.loop_lag.observe(max(0.0, now - due))
            due = now + LOOP_LOOK_EVERY

        await every(LOOP_LOOK_EVERY, observe, "the lag of the event loop could not be measured")
