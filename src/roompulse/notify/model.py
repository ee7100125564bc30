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
    """For people."""
    kind: Kind
    """What it is sent by."""
    id: str = ""
    """Given by the server."""
    url: Url | None = None
    """Of webhooks and Apprise."""
    to: Annotated[str, Meta(min_length=3, max_length=1000)] | None = None
    """Of e-mail: addresses, separated by commas."""
    secret: Annotated[str, Meta(max_length=200)] | None = None
    """Of webhooks: `whsec_` and Base64; it signs what they are sent. One is made where none is given."""
    enabled: bool = True
    """Whether it is sent anything."""
    call_ended: bool = False
    """Of webhooks: whether it is also sent the report on each call once the call has ended."""


class ShownChannel(Struct, frozen=True):
    """A channel as it is read: URLs without what may be secret in them, and the secret only once, when it is made."""

    id: str
    """Given by the server."""
    name: str
    """For people."""
    kind: Kind
    """What it is sent by."""
    url: str | None
    """Its beginning alone, as the rest may be secret."""
    to: str | None
    """Of e-mail: addresses, separated by commas."""
    secret: str | None
    """Shown once, when it is made here."""
    enabled: bool
    """Whether it is sent anything."""
    call_ended: bool
    """Whether it is also sent the report on each call once the call has ended."""


def shown(channel: Channel, secret: str | None = None) -> ShownChannel:
    url = channel.url and shown_url(channel.kind, channel.url)
    given = channel.id, channel.name, channel.kind, url, channel.to
    return ShownChannel(*given, secret, channel.enabled, channel.call_ended)


def shown_url(kind: Kind, url: str) -> str:
    """The beginning of a URL: credentials, and paths, in which many services have theirs, are left out."""
    parts = urlsplit(url)
    if kind == "apprise":
        return f"{parts.scheme}://…"
    host = parts.netloc.rpartition("@")[2]
    rest = "/…" if parts.path.strip("/") or parts.query else parts.path
    return f"{parts.scheme}://{host}{rest}"


class EndedCall(Struct, frozen=True):
    """Which call ended: the report on it is made when it is sent."""

    room_id: str
    """Its room."""
    started_at: float
    """Unix seconds."""


class Message(Struct, frozen=True):
    """What one channel is to be told: of an alert or, with the type `call.ended`, of a call."""

    id: str
    """The same at each attempt, by which receivers tell repeats: `webhook-id`."""
    type: MessageType
    """What it is about."""
    created_at: float
    """Unix seconds."""
    alert: Alert | None = None
    """As it was then; None of a message about a call."""
    call: EndedCall | None = None
    """The call that ended; None of a message about an alert."""


class Delivery(Struct, frozen=True):
    """A message in the outbox, or what became of it."""

    id: int
    """In the order of sending."""
    channel_id: str
    """To which it is sent."""
    message: Message
    """What is sent."""
    attempts: int
    """How often it was tried."""
    next_at: float | None
    """When it is tried next, Unix seconds; None when there is no next time."""
    done_at: float | None
    """When it was delivered or given up, Unix seconds."""
    outcome: Outcome | None
    """None while it waits."""
    detail: str
    """What the last attempt came to."""


class SendError(Exception):
    """A message could not be sent. It is tried again, after `retry_after` seconds if given, unless it is `final`."""

    def __init__(self, detail: str, *, final: bool = False, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.final = final
        self.retry_after = retry_after


def alert_of(message: Message) -> Alert:
    """The alert of a message; raises SendError for one about a call, which is sent to webhooks alone."""
    if message.alert is None:
        raise SendError("only webhooks are sent reports on calls", final=True)
    return message.alert


def test_message(now: float) -> Message:
    """What a channel is sent to see whether it works."""
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
