"""GET /metrics, for Prometheus: the counters of `meters.py`, and gauges that are read at the scrape."""

import platform
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from roompulse import __version__
from roompulse.alerts.model import SEVERITIES
from roompulse.alerts.service import AlertService
from roompulse.web.http.routes import GET, METRICS_PATH, AnyRequest

Gauges = dict[str, tuple[str, Callable[[], float]]]
"""Description and reader of a gauge, by its name without prefix."""


class CurrentValues(Collector):
    """Gauges that cost nothing between requests. `sizes` counts the live rooms, users and streams."""

    def __init__(
        self, gauges: Gauges, sizes: Callable[[], tuple[int, int, int]], alerts: AlertService, database: Path
    ) -> None:
        self._gauges = gauges
        self._sizes = sizes
        self._alerts = alerts
        self._database = database

    def collect(self) -> Iterator[Metric]:
        build = {"version": __version__, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
        yield InfoMetricFamily("roompulse_build", "Versions in use", build)
        for name, (description, read) in self._gauges.items():
            yield GaugeMetricFamily(f"roompulse_{name}", description, read())
        for name, count in zip(("rooms", "users", "streams"), self._sizes(), strict=True):
            yield GaugeMetricFamily(f"roompulse_{name}", f"Live {name}", count)
        yield from self._levels_and_alerts()
        yield GaugeMetricFamily("roompulse_database_bytes", "Size of the database", _size(self._database))
        log = self._database.with_name(f"{self._database.name}-wal")
        yield GaugeMetricFamily("roompulse_database_wal_bytes", "Size of its write-ahead log", _size(log))

    def _levels_and_alerts(self) -> Iterator[Metric]:
        totals = self._alerts.totals
        for name, levels in (("rooms", totals.rooms), ("users", totals.users)):
            by_level = GaugeMetricFamily(f"roompulse_level_{name}", f"Live {name}, by level", labels=["level"])
            for level, count in levels.items():
                by_level.add_metric([level], count)
            yield by_level
        counts = self._alerts.counts()
        alerts = GaugeMetricFamily("roompulse_alerts", "Open alerts", labels=["severity", "state"])
        for severity in SEVERITIES:
            for state in ("pending", "firing", "further"):
                alerts.add_metric([severity, state], counts.get((severity, state), 0))
        yield alerts


_TEXT = "text/plain; version=0.0.4"
"""Litestar adds the charset."""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def metrics_routes(registry: CollectorRegistry, present: CurrentValues) -> list[HTTPRouteHandler]:
    registry.register(present)
    ProcessCollector(registry=registry)

    @route(METRICS_PATH, http_method=GET)
    async def get_metrics(request: AnyRequest) -> Response[bytes]:
        # prometheus-client's own negotiation fails on versions that it cannot parse, and echoes others in a header.
        if "application/openmetrics-text" in request.headers.get("accept", ""):
            body: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
            media_type = openmetrics.CONTENT_TYPE_LATEST
        else:
            body, media_type = generate_latest(registry), _TEXT
        return Response(body, media_type=media_type)

    return [get_metrics]
