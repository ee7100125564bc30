"""Alerts while workers are killed: each message arrives once, whichever of them evaluates and sends."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.postgres_server import database
from tests.process import eventually
from tests.process.test_alerts import RULE, SECRET, alerts, post, receiver, send
from tests.server import Server

pytestmark = pytest.mark.slow

WORKERS = 2
HOLDS_THE_LEASE = "this worker takes snapshots"


class Workers:
    """Workers of which one holds the lease: it evaluates and sends, and tests kill it."""

    def __init__(self, servers: list[Server]) -> None:
        self._servers = servers
        self._turns = dict.fromkeys(servers, 0)
        self.holder = self._next_holder()

    def kill_the_holder(self) -> None:
        """Kill the worker that holds the lease, wait until another one does, and start the killed one again."""
        killed = self.holder
        killed.kill()
        self.holder = self._next_holder()
        assert self.holder is not killed
        killed.start()

    def _next_holder(self) -> Server:
        (holder,) = eventually(lambda: [one for one in self._servers if self._count(one) > self._turns[one]])
        self._turns[holder] = self._count(holder)
        return holder

    def _count(self, server: Server) -> int:
        return server.log.read_text().count(HOLDS_THE_LEASE)


@pytest.fixture
def workers(postgres_url: str, make_server: Callable[..., Server]) -> Iterator[Workers]:
    with database(postgres_url) as url, ExitStack() as stack:
        given = {"DATABASE_URL": url, "ALERT_PRIVATE_TARGETS": "true"}
        yield Workers([stack.enter_context(make_server(**given).running()) for _ in range(WORKERS)])


def test_a_worker_that_is_killed_between_an_alert_and_its_message_neither_repeats_nor_forgets(workers: Workers) -> None:
    with receiver() as (received, url):
        channel = send(workers.holder, "channels", {"name": "hook", "kind": "webhook", "url": url, "secret": SECRET})
        send(workers.holder, "rules", RULE | {"channels": [channel["id"]]})
        eventually(lambda: post(workers.holder, 20) and alerts(workers.holder, "pending"))
        workers.kill_the_holder()
        received.down = True
        eventually(lambda: post(workers.holder, 20) and alerts(workers.holder, "firing"))
        workers.kill_the_holder()  # the message waits
        received.down = False
        eventually(lambda: post(workers.holder, 20) and received.messages)
        (firing,) = received.messages.values()
        workers.kill_the_holder()  # it was sent
        assert [alert["id"] for alert in alerts(workers.holder, "firing")] == [firing["data"]["id"]]
        eventually(lambda: post(workers.holder, 0) and len(received.messages) > 1)
        assert received.types() == ["alert.firing", "alert.resolved"]
        (resolved,) = alerts(workers.holder, "resolved")
        assert resolved["id"] == firing["data"]["id"]
        path = f"/report/alerts/{resolved['id']}/deliveries"
        assert eventually(lambda: {one["outcome"] for one in workers.holder.get(path).json()["data"]} == {"delivered"})
