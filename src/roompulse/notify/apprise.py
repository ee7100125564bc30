"""All services of Apprise: Slack, Teams, PagerDuty, ntfy and a hundred others, each by a URL."""

import asyncio
import logging
import re
from typing import TYPE_CHECKING

from roompulse.notify import words
from roompulse.notify.model import Channel, Message, SendError, alert_of
from roompulse.notify.targets import Targets
from roompulse.settings import Settings

if TYPE_CHECKING:
    from apprise import Apprise

TIMEOUT = 30.0
"""Seconds. Apprise sends in its own threads, which may take longer to end."""

_MENTION = re.compile(r"(?<![\w.])@(?=\w)|<(?=[!@#])")
"""The beginning of a mention in chats: `@everyone`, `<!channel>`, `<@U012>`. The `@` in an e-mail address is none."""

_TYPES = {"info": "info", "warning": "warning", "critical": "failure"}


def service_of(url: str) -> "Apprise | None":
    """The service of a URL; None for a URL of none or of several. The first call is slow."""
    from apprise import Apprise  # half a second, and most servers have no such channel

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it logs parts of URLs, which are secrets
    service = Apprise()
    return service if service.add(url) and len(service) == 1 else None


def _hosts(service: "Apprise") -> list[str]:
    """The host that Apprise connects to, as it parses the URL."""
    hosts = (getattr(one, name, None) for one in service for name in ("host", "smtp_host"))
    return [host for host in hosts if isinstance(host, str)]


def without_mentions(text: str) -> str:
    """Put a zero-width space into each mention: participants choose names, and must not notify a whole channel."""
    return _MENTION.sub("\\g<0>\u200b", text)


class AppriseSender:
    def __init__(self, targets: Targets, settings: Settings) -> None:
        self._targets = targets
        self._base = words.base_url(settings)

    async def send(self, channel: Channel, message: Message) -> str:
        """Send the message; raises SendError. Apprise does not say why it failed."""
        service = await asyncio.to_thread(service_of, channel.url or "")
        if service is None:
            raise SendError("Apprise does not know this URL", final=True)
        # Apprise connects by itself: the addresses of names cannot be checked here.
        for host in _hosts(service):
            self._targets.check_named(host)
        alert = alert_of(message)
        title, body = (without_mentions(part) for part in (words.subject(message), words.text(message, self._base)))
        notify_type = "success" if alert.state == "resolved" else _TYPES[alert.severity]
        try:
            async with asyncio.timeout(TIMEOUT):
                sent = await service.async_notify(body=body, title=title, notify_type=notify_type)
        except TimeoutError:
            raise SendError(f"not sent within {TIMEOUT:g} s") from None
        if not sent:
            raise SendError("Apprise could not send it")
        return "sent"
