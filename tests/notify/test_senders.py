"""Webhooks and e-mail, at real receivers on this machine."""

import asyncio
import email
import email.policy
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from standardwebhooks import Webhook

from roompulse.clock import system_clock
from roompulse.errors import BadRequest, StartupError
from roompulse.net import listen
from roompulse.notify import apprise as apprise_module
from roompulse.notify.apprise import AppriseSender
from roompulse.notify.channels import check_channel
from roompulse.notify.email import EmailSender, smtp_server
from roompulse.notify.model import Channel, SendError, shown
from roompulse.notify.targets import Targets
from roompulse.notify.webhook import WebhookSender, signed_headers
from roompulse.notify.words import subject
from roompulse.settings import Settings
from tests.notify.world import SECRET, alert, message, no_report

ANYWHERE = Targets(private=True)


def test_signatures_are_those_of_the_specification() -> None:
    headers = signed_headers(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


class Receiver:
    """The requests to an HTTP server on this machine, which answers with `answer`."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.head, self.body = "", b""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(line for line in self.head.splitlines() if line.lower().startswith("content-length"))
        self.body = await reader.readexactly(int(length.partition(":")[2]))
        writer.write(self.answer)
        await writer.drain()
        writer.close()

    def headers(self) -> dict[str, str]:
        lines = [line.partition(": ") for line in self.head.splitlines()[1:] if line]
        return {name: value for name, _, value in lines}


@asynccontextmanager
async def receiver(answer: str = "204 No Content", extra: str = "") -> AsyncIterator[tuple[Receiver, str]]:
    received = Receiver(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\n{extra}Connection: close\r\n\r\n".encode())
    server = await asyncio.start_server(received, "127.0.0.1", 0)
    async with server:
        yield received, f"http://localhost:{server.sockets[0].getsockname()[1]}/hook?key=1"


def channel(url: str) -> Channel:
    return Channel("hook", "webhook", url=url, secret=SECRET)


async def test_a_webhook_is_verified_by_its_receiver() -> None:
    async with receiver() as (received, url):
        assert await WebhookSender(ANYWHERE, system_clock, no_report).send(channel(url), message()) == "204 No Content"
    body = Webhook(SECRET).verify(received.body, received.headers())
    assert body["type"] == "alert.firing"
    assert body["timestamp"] == "2027-01-15T08:00:00.000Z"
    assert body["data"] == msgspec.to_builtins(alert())
    assert received.head.startswith("POST /hook?key=1 HTTP/1.1\r\n")
    assert received.headers()["Host"].startswith("localhost:")


@pytest.mark.parametrize(
    "status", ["400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found", "410 Gone"]
)
async def test_statuses_that_will_not_heal_are_final(status: str) -> None:
    async with receiver(status) as (_, url):
        with pytest.raises(SendError, match=status) as raised:
            await WebhookSender(ANYWHERE, system_clock, no_report).send(channel(url), message())
    assert raised.value.final


@pytest.mark.parametrize("status", ["429 Too Many Requests", "500 Error", "503 Unavailable", "408 Timeout"])
async def test_others_are_tried_again(status: str) -> None:
    async with receiver(status, "Retry-After: 7\r\n") as (_, url):
        with pytest.raises(SendError) as raised:
            await WebhookSender(ANYWHERE, system_clock, no_report).send(channel(url), message())
    assert (raised.value.final, raised.value.retry_after) == (False, 7)


async def test_redirects_are_not_followed() -> None:
    async with receiver() as (other, elsewhere), receiver("302 Found", f"Location: {elsewhere}\r\n") as (_, url):
        with pytest.raises(SendError, match="redirects are not followed"):
            await WebhookSender(ANYWHERE, system_clock, no_report).send(channel(url), message())
        assert other.head == ""


async def test_a_private_target_is_not_connected_to() -> None:
    async with receiver() as (received, url):
        with pytest.raises(SendError, match="not public"):
            await WebhookSender(Targets(private=False), system_clock, no_report).send(channel(url), message())
        assert received.head == ""


async def test_a_receiver_that_is_not_there_is_tried_again() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(SendError) as raised:
        await WebhookSender(ANYWHERE, system_clock, no_report).send(channel(f"http://127.0.0.1:{port}/"), message())
    assert not raised.value.final


class Inbox:
    def __init__(self, refusal: str | None) -> None:
        self.refusal = refusal
        self.mails: list[Any] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, to: str, _options: Any) -> str:  # noqa: N802
        if self.refusal:
            return self.refusal
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append((envelope, email.message_from_bytes(envelope.content, policy=email.policy.default)))
        return "250 queued as 1"


@contextmanager
def smtp(refusal: str | None = None, url: str = "smtp://127.0.0.1", **options: Any) -> Iterator[tuple[Inbox, Settings]]:
    inbox = Inbox(refusal)
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
    controller = Controller(inbox, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        url = f"{url}:{port}"
        yield (
            inbox,
            Settings(data=Path("none"), smtp_url=url, smtp_from="pulse@example.com", public_url="https://p.example/x"),
        )
    finally:
        controller.stop()


MAILBOX = Channel("mail", "email", to="ops@example.com, ada@example.com")


async def test_an_e_mail_says_what_where_since_when_and_the_link() -> None:
    with smtp() as (inbox, settings):
        assert await EmailSender(ANYWHERE, settings).send(MAILBOX, message()) == "queued as 1"
    ((envelope, mail),) = inbox.mails
    assert envelope.rcpt_tos == ["ops@example.com", "ada@example.com"]
    assert mail["Subject"] == "[FIRING] critical: A user is poor: stand up / ada"
    assert mail["From"] == "pulse@example.com"
    text = mail.get_content()
    assert text.splitlines() == [
        "ada in stand up: score 1.50 (< 3.10).",
        "Since 2027-01-15 08:00:00 UTC",
        "https://p.example/x/rooms/stand%20up/users/ada",
    ]


@pytest.mark.parametrize(("refusal", "final"), [("550 no such user", True), ("451 later", False)])
async def test_a_refusal_is_final_or_tried_again(refusal: str, final: bool) -> None:  # noqa: FBT001
    with smtp(refusal) as (_, settings), pytest.raises(SendError) as raised:
        await EmailSender(ANYWHERE, settings).send(MAILBOX, message())
    assert raised.value.final is final


async def test_a_mail_server_in_the_own_network_needs_the_setting() -> None:
    with smtp() as (inbox, settings), pytest.raises(SendError, match="not public"):
        await EmailSender(Targets(private=False), settings).send(MAILBOX, message())
    assert inbox.mails == []


async def test_a_password_is_not_sent_without_encryption() -> None:
    with smtp() as (inbox, settings):
        url = (settings.smtp_url or "").replace("//", "//user:secret@")
        insecure = Settings(data=Path("none"), smtp_url=url)
        with pytest.raises(SendError) as raised:
            await EmailSender(ANYWHERE, insecure).send(MAILBOX, message())
    assert "secret" not in str(raised.value)
    assert inbox.mails == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate of `localhost`, signed by itself, and its key."""
    file = tmp_path_factory.mktemp("certificate") / "localhost.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    subprocess.run([*command, *names, "-keyout", f"{file}.key", "-out", file], check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + Path(f"{file}.key").read_bytes())
    return file


class Encrypted:
    """A mail server of `localhost` that wants the password `secret`, by TLS from the start on or after STARTTLS."""

    def __init__(self, scheme: str, certificate: Path) -> None:
        self.passwords: list[bytes] = []
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        self.url = f"{scheme}://ada:secret@localhost"
        self.options: dict[str, Any] = {"authenticator": self.authenticate}
        if scheme == "smtps":
            # Such a server does not know that it stands behind TLS.
            self.options |= {"ssl_context": context, "auth_require_tls": False}
        else:
            self.options |= {"tls_context": context, "require_starttls": True, "auth_required": True}

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, login: Any) -> AuthResult:
        self.passwords.append(login.password)
        return AuthResult(success=login.password == b"secret")


@pytest.mark.parametrize("scheme", ["smtps", "smtp"])
async def test_mail_and_password_go_to_a_server_that_proves_who_it_is(
    scheme: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server = Encrypted(scheme, certificate)
    with smtp(url=server.url, **server.options) as (inbox, settings):
        assert await EmailSender(ANYWHERE, settings).send(MAILBOX, message()) == "queued as 1"
    assert server.passwords == [b"secret"]
    assert len(inbox.mails) == 1


@pytest.mark.parametrize("scheme", ["smtps", "smtp"])
async def test_a_server_whose_certificate_nobody_vouches_for_gets_nothing(scheme: str, certificate: Path) -> None:
    server = Encrypted(scheme, certificate)
    with (
        smtp(url=server.url, **server.options) as (inbox, settings),
        pytest.raises(SendError, match="certificate") as raised,
    ):
        await EmailSender(ANYWHERE, settings).send(MAILBOX, message())
    assert not raised.value.final
    assert (server.passwords, inbox.mails) == ([], [])


@pytest.mark.parametrize("url", ["mail.internal", "http://mail.internal", "smtp://", "smtp://host:x"])
def test_a_wrong_url_of_the_server_ends_the_start_and_is_not_quoted(url: str) -> None:
    with pytest.raises(StartupError, match="SMTP_URL") as raised:
        smtp_server(url)
    assert url not in str(raised.value)


def test_user_and_password_are_percent_decoded() -> None:
    server = smtp_server("smtps://ada%40example.com:p%3Ass@mail.example.com")
    assert server
    assert (server.port, server.user, server.password) == (465, "ada@example.com", "p:ss")


async def test_apprise_is_given_subject_and_text(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, str]] = []

    class Service(list[Any]):
        async def async_notify(self, **message: str) -> bool:
            sent.append(message)
            return len(sent) == 1

    monkeypatch.setattr(apprise_module, "service_of", lambda _url: Service())
    sender = AppriseSender(ANYWHERE, Settings(data=Path("none"), public_url="https://p.example"))
    slack = Channel("slack", "apprise", url="slack://a/b/c")
    assert await sender.send(slack, message()) == "sent"
    assert sent[0]["title"] == "[FIRING] critical: A user is poor: stand up / ada"
    assert sent[0]["notify_type"] == "failure"
    with pytest.raises(SendError, match="could not send"):
        await sender.send(slack, message())


@pytest.mark.parametrize("name", ["@everyone", "hi @here", "<!channel>", "<@U012AB>", "<#C012>"])
async def test_a_participant_whose_name_is_a_mention_calls_nobody(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    sent: list[dict[str, str]] = []

    class Service(list[Any]):
        async def async_notify(self, **message: str) -> bool:
            sent.append(message)
            return True

    monkeypatch.setattr(apprise_module, "service_of", lambda _url: Service())
    sender = AppriseSender(ANYWHERE, Settings(data=Path("none")))
    mentioned = message(alert=alert(user_id=name, text=f"{name} is poor; ada@example.com 3 < 4"))
    await sender.send(Channel("slack", "apprise", url="slack://a/b/c"), mentioned)
    assert name not in sent[0]["title"]
    assert name not in sent[0]["body"]
    assert sent[0]["body"].replace("\u200b", "").startswith(f"{name} is poor; ada@example.com 3 < 4\n")
    assert "ada@example.com 3 < 4" in sent[0]["body"]


@pytest.mark.parametrize(
    "url", ["json://127.0.0.1", "json://[::1]:9/", "mailto://u:p@example.com?smtp=127.0.0.1", "ntfy://localhost/topic"]
)
async def test_apprise_connects_to_no_address_that_is_not_public(url: str) -> None:
    sender = AppriseSender(Targets(private=False), Settings(data=Path("none")))
    with pytest.raises(SendError, match="not public"):
        await sender.send(Channel("own", "apprise", url=url), message())


def test_a_subject_is_one_line() -> None:
    assert subject(message(alert=alert(rule="two\u2028lines"))).startswith("[FIRING] critical: two lines: stand up")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": "apprise", "url": "json://example.com, json://127.0.0.1"}, "url"),
        ({"kind": "webhook", "secret": SECRET}, "url"),
        ({"kind": "webhook", "url": "ftp://x", "secret": SECRET}, "url"),
        ({"kind": "webhook", "url": "https://", "secret": SECRET}, "url"),
        ({"kind": "webhook", "url": "https://u:hunter2@host:999999/", "secret": SECRET}, "url"),
        ({"kind": "webhook", "url": "https://x", "secret": "whsec_c2hvcnQ="}, "secret"),
        ({"kind": "webhook", "url": "https://x", "secret": "plain"}, "secret"),
        ({"kind": "webhook", "url": "https://x", "secret": SECRET, "to": "a@b.c"}, "to"),
        ({"kind": "email"}, "to"),
        ({"kind": "email", "to": "nobody"}, "to"),
        ({"kind": "email", "to": "a@b.c\r\nBcc: x@y.z"}, "to"),
        ({"kind": "email", "to": "a@b.c", "url": "https://x"}, "url"),
        ({"kind": "apprise", "url": "nonsense"}, "url"),
    ],
)
async def test_a_channel_that_cannot_be_is_refused(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest, match=rf"^\$\.{field}: ") as raised:
        await check_channel(Channel("n", **fields))
    assert "hunter2" not in raised.value.message


async def test_channels_that_can_be() -> None:
    await check_channel(channel("https://user:pass@example.com/path"))
    await check_channel(MAILBOX)
    await check_channel(Channel("n", "apprise", url="ntfy://topic"))


@pytest.mark.parametrize(
    ("kind", "url", "is_shown"),
    [
        ("webhook", "https://user:hunter2@example.com:8443/services/T0/B0?token=x", "https://example.com:8443/…"),
        ("webhook", "https://example.com/", "https://example.com/"),
        ("apprise", "slack://tokenA/tokenB", "slack://…"),
    ],
)
def test_what_may_be_secret_of_a_url_is_not_read_back(kind: Any, url: str, is_shown: str) -> None:
    found = shown(Channel("n", kind, url=url, secret=SECRET))
    assert (found.url, found.secret) == (is_shown, None)
