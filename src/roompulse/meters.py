"""Metrics that are counted where something happens; `web/api/metrics.py` adds those that are read when scraped.

docs/metrics.md has a row for each. Ids and versions are never labels, so the number of series is bounded.
"""

import asyncio

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from roompulse.errors import REASONS, Reason
from roompulse.periodic import every

LOOP_CHECK_EVERY = 0.5
"""Seconds between two measurements of the lag of the event loop."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_REPORTS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class Meters:
    """The metrics of one application, in its own registry: a process may have several applications."""

    def __init__(self) -> None:
        # Otherwise each counter has an additional series for its time of creation.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        reports = self._counter("reports", "Reports, by outcome", ["outcome"])
        self.accepted = reports.labels("accepted")
        self.left = reports.labels("left")
        self.refused: dict[Reason, Counter] = {reason: reports.labels(reason) for reason in REASONS}
        self.mistakes = self._counter("mistakes", "Internal errors: requests answered with 500")
        self.bytes = self._counter("report_bytes", "Bytes of the bodies of accepted reports")
        self.samples = self._counter("samples", "Samples of streams in accepted reports")
        self.commit = self._histogram("commit_seconds", "Duration of a commit of reports", _SECONDS)
        self.clock_jumps = self._counter("clock_jumps", "How often the system's clock was set while the server ran")
        self.read_errors = self._counter("store_read_errors", "Reads of the database that failed")
        self.batch = self._histogram("batch_reports", "Reports in a commit", _REPORTS)
        self.frames = self._counter("frames", "Parts of pages and rooms that were put into mailboxes of viewers")
        self.frames_dropped = self._counter(
            "frames_dropped", "Frames that were replaced by a newer one before they were read"
        )
        self.readers_dropped = self._counter("readers_dropped", "Clients disconnected because they did not read")
        self.connections_refused = self._counter("connections_refused", "Connections that were too many")
        self.requests_delayed = self._counter(
            "requests_delayed", "Requests that waited, as of an address over its rate"
        )
        self.requests_refused = self._counter("requests_refused", "Requests of an address over its rate, refused")
        self.push_lag = self._histogram(
            "push_lag_seconds", "Time from a change to its frames in the mailboxes", _SECONDS
        )
        deliveries = self._counter("alert_deliveries", "Messages to channels, by outcome of an attempt", ["outcome"])
        self._deliveries = {outcome: deliveries.labels(outcome) for outcome in ("delivered", "failed", "given_up")}
        self.loop_lag = self._histogram("event_loop_lag_seconds", "How late the event loop runs a timer", _SECONDS)

    def _counter(self, name: str, words: str, labels: "list[str] | tuple[()]" = ()) -> Counter:
        return Counter(f"roompulse_{name}", words, labels, registry=self.registry)

    def _histogram(self, name: str, words: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"roompulse_{name}", words, buckets=buckets, registry=self.registry)

    def pushed(self, frames: int, unread: int, lag: float) -> None:
        """Count a push: frames put into mailboxes, unread frames replaced there, and seconds since the change."""
        self.frames.inc(frames)
        self.frames_dropped.inc(unread)
        self.push_lag.observe(lag)

    def delivery(self, outcome: str) -> None:
        """Count an attempt to deliver a message: delivered, failed (it is retried) or given_up."""
        self._deliveries[outcome].inc()

    async def watch_loop(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + LOOP_CHECK_EVERY

        async def observe() -> None:
            nonlocal due
            now = loop.time()
            self.loop_lag.observe(max(0.0, now - due))
            due = now + LOOP_CHECK_EVERY

        await every(LOOP_CHECK_EVERY, observe, "the lag of the event loop could not be measured")
