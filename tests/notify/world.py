"""A small world of channels: a database, a clock, and senders that do as a test says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from roompulse.alerts.incident import Change
from roompulse.alerts.model import Alert
from roompulse.alerts.store import SqlAlerts
from roompulse.calls.model import CallReport
from roompulse.notify.channels import Channels
from roompulse.notify.courier import Courier
from roompulse.notify.model import Channel, EndedCall, Message, alert_of
from roompulse.notify.store import Outbox
from roompulse.settings import Settings
from roompulse.store.engine import Database
from tests.builders import NOW
from tests.conftest import Clock
from tests.unit.alerts.world import rule

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  (of the specification's example)


def alert(**fields: Any) -> Alert:
    values: dict[str, Any] = {
        "id": "a1",
        "rule_id": "r1",
        "rule": "A user is poor",
        "severity": "critical",
        "subject": "user",
        "state": "firing",
        "room_id": "stand up",
        "user_id": "ada",
        "started_at": NOW,
        "fired_at": NOW,
        "resolved_at": None,
        "metric": "score",
        "value": 1.5,
        "worst": 1.2,
        "threshold": 3.1,
        "unit": "",
        "text": "ada in stand up: score 1.50 (< 3.10).",
        "path": "rooms/stand%20up/users/ada",
    }
    return Alert(**(values | fields))


def message(**fields: Any) -> Message:
    values: dict[str, Any] = {"id": "msg_1", "type": "alert.firing", "created_at": NOW, "alert": alert()}
    return Message(**(values | fields))


async def no_report(call: EndedCall) -> CallReport:
    raise AssertionError(call)


class FakeSender:
    """Records messages; `faults` are raised first, by the name of the channel."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.faults: dict[str, list[Exception]] = {}
        self.hanging: dict[str, Any] = {}

    async def send(self, channel: Channel, message: Message) -> str:
        if hangs := self.hanging.get(channel.name):
            await hangs.wait()
        if faults := self.faults.get(channel.name):
            raise faults.pop(0)
        self.sent.append((channel.name, f"{message.type} {alert_of(message).id}"))
        return "200 OK"


class Post:
    """The outbox with channels `one` and `two`, and the store that queues alerts in it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.clock = clock
        self.store = SqlAlerts(database)
        self.outbox = Outbox(database)
        self.channels = Channels(self.outbox, clock)
        self.sender = FakeSender()
        self.counted: list[str] = []
        self.courier = self.new_courier()
        self.rule = rule()

    def new_courier(self) -> Courier:
        """As after a restart."""
        senders: Any = dict.fromkeys(("webhook", "email", "apprise"), self.sender)
        self.courier = Courier(self.outbox, self.channels, senders, self.clock, self.counted.append)
        return self.courier

    async def set_up(self) -> None:
        for name in ("one", "two"):
            await self.channels.add(Channel(name, "webhook", url="https://example.com/hook"))
        self.rule = rule(channels=self.channels.ids())

    async def put(self, *alerts: Alert, told_at: float = NOW) -> None:
        changes = [Change(one, told_at, is_sent=True) for one in alerts]
        await self.store.save(changes, [self.rule], self.clock())

    async def deliver(self, rounds: int = 1) -> list[tuple[str, str]]:
        """The messages of so many rounds."""
        self.sender.sent = []
        for _ in range(rounds):
            await self.courier.deliver()
            await self.courier.idle()
        return self.sender.sent


@asynccontextmanager
async def post_of(settings: Settings, clock: Clock) -> AsyncIterator[Post]:
    database = Database(settings)
    async with database.open():
        post = Post(database, clock)
        await post.set_up()
        yield post
