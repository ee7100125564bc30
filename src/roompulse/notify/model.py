"""Channels, to which alerts are sent, and the messages. Times are Unix seconds."""

import secrets
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from roompulse.alerts.model import Alert, Name

Kind = Literal["webhook", "email", "apprise"]
MessageType = Literal["alert.firing", "alert.resolved", "alert.test", "call.ended"]
Outcome = Literal["delivered", "given_up"]

LONGEST_URL = 2048
Url = Annotated[str, Meta(min_length=1, max_length=LONGEST_URL)]


class Channel(Struct, frozen=True, forbid_unknown_fields=True):
    """Where alerts are sent."""

    name: Name
    """Shown to people."""
    kind: Kind
    """How messages are sent."""
    id: str = ""
    """Assigned by the server."""
    url: Url | None = None
    """For webhooks and Apprise."""
    to: Annotated[str, Meta(min_length=3, max_length=1000)] | None = None
    """For e-mail: addresses, separated by commas."""
    secret: Annotated[str, Meta(max_length=200)] | None = None
    """For webhooks: `whsec_` and Base64; it signs messages. Generated where none is given."""
    enabled: bool = True
    """Whether messages are sent to it."""
    call_ended: bool = False
    """For webhooks: whether it also receives the report on each ended call."""


class ShownChannel(Struct, frozen=True):
    """A channel as it is returned: URLs without secret parts, and the secret only once, when it is generated."""

    id: str
    """Assigned by the server."""
    name: str
    """Shown to people."""
    kind: Kind
    """How messages are sent."""
    url: str | None
    """Only its beginning, as the rest may be secret."""
    to: str | None
    """For e-mail: addresses, separated by commas."""
    secret: str | None
    """Shown once, when it is generated."""
    enabled: bool
    """Whether messages are sent to it."""
    call_ended: bool
    """Whether it also receives the report on each ended call."""


def shown(channel: Channel, secret: str | None = None) -> ShownChannel:
    url = channel.url and shown_url(channel.kind, channel.url)
    given = channel.id, channel.name, channel.kind, url, channel.to
    return ShownChannel(*given, secret, channel.enabled, channel.call_ended)


def shown_url(kind: Kind, url: str) -> str:
    """The beginning of a URL, without credentials and path, in which many services have theirs."""
    parts = urlsplit(url)
    if kind == "apprise":
        return f"{parts.scheme}://…"
    host = parts.netloc.rpartition("@")[2]
    rest = "/…" if parts.path.strip("/") or parts.query else parts.path
    return f"{parts.scheme}://{host}{rest}"


class EndedCall(Struct, frozen=True):
    """The call that ended: the report on it is made when it is sent."""

    room_id: str
    """Its room."""
    started_at: float
    """Unix seconds."""


class Message(Struct, frozen=True):
    """A message for one channel: about an alert or, with the type `call.ended`, about a call."""

    id: str
    """The same at each attempt, so that receivers recognise repeats: `webhook-id`."""
    type: MessageType
    """Its kind."""
    created_at: float
    """Unix seconds."""
    alert: Alert | None = None
    """The alert at that time; None for a message about a call."""
    call: EndedCall | None = None
    """The call that ended; None for a message about an alert."""


class Delivery(Struct, frozen=True):
    """A message in the outbox, and its result."""

    id: int
    """In the order of sending."""
    channel_id: str
    """The channel."""
    message: Message
    """The message."""
    attempts: int
    """How often it was attempted."""
    next_at: float | None
    """Next attempt, Unix seconds; None if there is none."""
    done_at: float | None
    """When it was delivered or given up, Unix seconds."""
    outcome: Outcome | None
    """None while it waits."""
    detail: str
    """The result of the last attempt."""


class SendError(Exception):
    """A message could not be sent. It is retried, after `retry_after` seconds if given, unless it is `final`."""

    def __init__(self, detail: str, *, final: bool = False, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.final = final
        self.retry_after = retry_after


def alert_of(message: Message) -> Alert:
    """The alert of a message; raises SendError for one about a call, which only webhooks receive."""
    if message.alert is None:
        raise SendError("only webhooks are sent reports on calls", final=True)
    return message.alert


def test_message(now: float) -> Message:
    """The test message of a channel."""
    alert = Alert(
        id="test",
        rule_id="test",
        rule="Test of this channel",
        severity="info",
        subject="server",
        state="firing",
        room_id=None,
        user_id=None,
        started_at=now,
        fired_at=now,
        resolved_at=None,
        metric="rooms",
        value=0,
        worst=0,
        threshold=0,
        unit="",
        text="This is a test: alerts sent to this channel arrive.",
        path="",
    )
    return Message(f"msg_test_{secrets.token_hex(8)}", "alert.test", now, alert)
