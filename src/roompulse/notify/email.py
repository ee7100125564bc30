"""E-mail by the SMTP server of SMTP_URL."""

import asyncio
import socket
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

import aiosmtplib
from msgspec import Struct

from roompulse.errors import StartupError
from roompulse.notify import words
from roompulse.notify.model import Channel, Message, SendError, alert_of
from roompulse.notify.targets import Targets
from roompulse.settings import Settings

TIMEOUT = 20.0
"""Seconds for each step."""


class SmtpServer(Struct, frozen=True):
    """With `tls` the connection is encrypted from its start; else by STARTTLS, without which no password is sent."""

    host: str
    port: int
    tls: bool
    user: str | None
    password: str | None


def smtp_server(url: str | None) -> SmtpServer | None:
    """By SMTP_URL; raises StartupError, which does not quote it."""
    if url is None:
        return None
    with suppress(ValueError):
        parts = urlsplit(url)
        tls = parts.scheme == "smtps"
        if parts.hostname and (tls or parts.scheme == "smtp") and parts.path in ("", "/"):
            port = parts.port or (465 if tls else 587)
            user, password = (value and unquote(value) for value in (parts.username, parts.password))
            return SmtpServer(parts.hostname, port, tls, user, password)
    raise StartupError("ROOMPULSE_SMTP_URL: expected a URL such as smtps://user:password@mail.example.com:465")


class EmailSender:
    def __init__(self, targets: Targets, settings: Settings) -> None:
        """Raises StartupError for a wrong SMTP_URL."""
        self._targets = targets
        self._server = smtp_server(settings.smtp_url)
        self._from = settings.smtp_from
        self._base = words.base_url(settings)

    async def send(self, channel: Channel, message: Message) -> str:
        """Pass the message to the server, and return its answer; raises SendError."""
        server = self._server
        if server is None:
            raise SendError("no SMTP server is set (SMTP_URL)")
        try:
            return await self._send(server, self._mail(channel, message))
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [one.code for one in error.recipients]
            raise SendError(f"refused: {_line(error.recipients[0].message)}", final=min(codes) >= 500) from None
        except aiosmtplib.SMTPResponseException as error:
            raise SendError(f"{error.code} {_line(error.message)}", final=error.code >= 500) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise SendError(f"{type(error).__name__}: {_line(str(error))}") from None

    async def _send(self, server: SmtpServer, mail: EmailMessage) -> str:
        address = await self._targets.address(server.host, server.port)
        connection = await _connect(address, server.port)
        client = aiosmtplib.SMTP(
            hostname=server.host,
            sock=connection,
            use_tls=server.tls,
            start_tls=False if server.tls else True if server.password else None,
            username=server.user,
            password=server.password,
            timeout=TIMEOUT,
        )
        async with client:  # which closes the connection in any case
            _, answer = await client.send_message(mail)
        return _line(answer)

    def _mail(self, channel: Channel, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = words.subject(message)
        mail["From"] = self._from
        mail["To"] = channel.to
        mail["Date"] = format_datetime(datetime.fromtimestamp(message.created_at, UTC))
        mail["Message-ID"] = f"<{message.id}@roompulse>"
        # Mail programs group the messages of one alert.
        mail["References"] = f"<alert_{alert_of(message).id}@roompulse>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(words.text(message, self._base))
        return mail


async def _connect(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.settimeout(0)
    try:
        async with asyncio.timeout(TIMEOUT):
            await asyncio.get_running_loop().sock_connect(connection, (address, port))
    except BaseException:
        connection.close()
        raise
    return connection


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
