"""The channels of operators."""

import asyncio
import base64
import binascii
import secrets
from email.errors import MessageError
from email.headerregistry import Address
from urllib.parse import urlsplit

from msgspec.structs import replace

from roompulse.clock import Clock
from roompulse.errors import BadRequest, NotFound
from roompulse.notify.apprise import service_of
from roompulse.notify.model import Channel
from roompulse.notify.store import Outbox
from roompulse.report.ids import name_fault

MAX_CHANNELS = 100
SECRET_PREFIX = "whsec_"  # noqa: S105  (of Standard Webhooks)
_SECRET_BYTES = 24, 64
"""The least and the most, by the specification."""


class Channels:
    """All channels, in memory and in the database."""

    def __init__(self, outbox: Outbox, clock: Clock) -> None:
        self._outbox = outbox
        self._clock = clock
        self._channels: dict[str, Channel] = {}
        self._changing = asyncio.Lock()

    async def load(self) -> None:
        """Raises StoreError."""
        self._channels = {channel.id: channel for channel in await self._outbox.channels()}

    def all(self) -> list[Channel]:
        return sorted(self._channels.values(), key=lambda channel: (channel.name.casefold(), channel.id))

    def ids(self) -> list[str]:
        return list(self._channels)

    def get(self, channel_id: str) -> Channel:
        if (channel := self._channels.get(channel_id)) is None:
            raise NotFound("no such channel")
        return channel

    async def add(self, channel: Channel) -> Channel:
        """The channel with its id, and with a secret if it is a webhook; raises BadRequest for an invalid one."""
        if channel.kind == "webhook" and channel.secret is None:
            channel = replace(channel, secret=SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode())
        return await self._put(replace(channel, id=secrets.token_hex(8)), is_new=True)

    async def change(self, channel_id: str, channel: Channel) -> Channel:
        """Omitted URL, address and secret are kept, as they cannot be read back in full."""
        known = self.get(channel_id)
        if channel.kind != known.kind:
            raise BadRequest("$.kind: cannot be changed")
        kept = {name: getattr(known, name) for name in ("url", "to", "secret") if getattr(channel, name) is None}
        return await self._put(replace(channel, id=channel_id, **kept), is_new=False)

    async def remove(self, channel_id: str) -> None:
        async with self._changing:
            self.get(channel_id)
            await self._outbox.remove_channel(channel_id, self._clock())
            self._channels.pop(channel_id, None)

    async def _put(self, channel: Channel, *, is_new: bool) -> Channel:
        await check_channel(channel)
        async with self._changing:
            if not is_new:
                self.get(channel.id)  # it may have been removed meanwhile
            elif len(self._channels) >= MAX_CHANNELS:
                raise BadRequest(f"$: there are {MAX_CHANNELS} channels already, the maximum")
            await self._outbox.put_channel(channel)
            self._channels[channel.id] = channel
        return channel


async def check_channel(channel: Channel) -> None:
    """Raises BadRequest that names the field, and quotes no URL: it may hold a password."""
    if fault := name_fault(channel.name):
        raise BadRequest(f"$.name: {fault}")
    _check_fields(channel)
    if channel.call_ended and channel.kind != "webhook":
        raise BadRequest("$.call_ended: only for webhook")
    match channel.kind:
        case "webhook":
            _check_webhook(channel.url or "", channel.secret or "")
        case "email":
            _check_addresses(channel.to or "")
        case "apprise":
            if await asyncio.to_thread(service_of, channel.url or "") is None:
                raise BadRequest("$.url: not a URL that Apprise knows")


def _check_fields(channel: Channel) -> None:
    for name, kinds in (("url", ("webhook", "apprise")), ("to", ("email",)), ("secret", ("webhook",))):
        value = getattr(channel, name)
        if channel.kind not in kinds and value is not None:
            raise BadRequest(f"$.{name}: only for {' and '.join(kinds)}")
        if channel.kind in kinds and value is None:
            raise BadRequest(f"$.{name}: required")


def _check_webhook(url: str, secret: str) -> None:
    if not _is_web_url(url):
        raise BadRequest("$.url: must be an http:// or https:// URL")
    if not _is_secret(secret):
        least, most = _SECRET_BYTES
        raise BadRequest(f"$.secret: must be {SECRET_PREFIX} and the Base64 of {least} to {most} bytes")


def _is_web_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        return False


def _is_secret(secret: str) -> bool:
    try:
        size = len(base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True))
    except (binascii.Error, ValueError):
        return False
    return secret.startswith(SECRET_PREFIX) and _SECRET_BYTES[0] <= size <= _SECRET_BYTES[1]


def _check_addresses(to: str) -> None:
    """Raises BadRequest unless these are e-mail addresses, separated by commas."""
    for address in to.split(","):
        try:
            parsed = Address(addr_spec=address.strip())
        except (MessageError, ValueError, IndexError):
            raise BadRequest("$.to: must be e-mail addresses, separated by commas") from None
        if not parsed.username or not parsed.domain:
            raise BadRequest("$.to: must be e-mail addresses, separated by commas")
