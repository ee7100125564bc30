"""The judgement of a report, the same for every way in: over ASGI and past it."""

import msgspec
from litestar.types import HTTPScope, Scope

from roompulse.access.senders import Sender
from roompulse.errors import BodyTooLarge, MethodNotAllowed, Problem, UnsupportedMediaType
from roompulse.ingest.large_reports import Reporter
from roompulse.intake.intake import Intake
from roompulse.report.decode import Largest
from roompulse.report.model import Report
from roompulse.settings import Settings
from roompulse.web.api.report_auth import ReportAuth

_JSON_TYPES = (b"application/json", b"text/plain", b"")

BYTES_OF_STREAM, MOST_BYTES_OF_STREAM = 100, 1_000
"""A refused body counts as a stream for so many bytes, and an accepted one at least for the second figure."""


class Judgement:
    """Whether a report is accepted, by one order of checks: host, method, sender and its rate, type, size, body.

    The host is checked before, as for every request (web/application.py).
    """

    def __init__(self, auth: ReportAuth, intake: Intake, settings: Settings) -> None:
        self._auth = auth
        self._intake = intake
        self._max_body = settings.max_body
        self._largest = Largest(users=settings.max_report_users, streams=settings.max_report_streams)

    def judge_head(self, scope: HTTPScope) -> Sender | None:
        """The sender, or None where only the body names it; raises the Problem of a rejected head."""
        if scope["method"] != "POST":
            raise MethodNotAllowed(scope["method"], "POST, OPTIONS")
        sender = self._auth.by_headers(scope)
        headers = dict(scope["headers"])
        media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if media_type not in _JSON_TYPES:
            raise UnsupportedMediaType("Content-Type: send application/json or text/plain")
        if headers.get(b"content-encoding"):
            raise UnsupportedMediaType("Content-Encoding is not supported; send the body uncompressed")
        length = headers.get(b"content-length", b"0")
        if length.isdigit():
            self.judge_size(int(length))
        return sender

    def judge_size(self, size: int) -> None:
        """For the size of a body as far as it is known; raises BodyTooLarge."""
        if size > self._max_body:
            raise BodyTooLarge(f"the body has more than {self._max_body} bytes")

    def authenticate(self, scope: Scope, body: bytes, sender: Sender | None) -> Sender:
        """The sender, by the body where the head does not name it; raises Unauthorized or TooManyRequests."""
        return sender or self._auth.by_body(scope, body)

    def judge_body(self, body: bytes, sender: Sender) -> Report:
        """The report, which is to be paid for (`charge`) when it is taken; raises the Problem of a rejected body."""
        try:
            report = self._intake.decode(body, self._largest)
            sender.check(report)
        except Problem:
            # What could not be counted must not be cheaper than what could.
            self._auth.charge(sender, len(body) // BYTES_OF_STREAM)
            raise
        return report

    def judge_large_body(self, body: bytes, sender: Sender) -> Report:
        """The same, paid for; the sender's budget is checked first, as other reports were taken since its head came."""
        self._auth.check(sender)
        report = self.judge_body(body, sender)
        self.charge(report, body, sender)
        return report

    def charge(self, report: Report, body: bytes, sender: Sender) -> None:
        """Take what is in the report from the budget of its sender."""
        self._auth.charge(sender, max(report.weight, len(body) // MOST_BYTES_OF_STREAM))


class _Reporter(msgspec.Struct):
    room_id: str = ""
    user_id: str = ""


_reporter_decoder = msgspec.json.Decoder(_Reporter)


def reporter_in(body: bytes) -> Reporter:
    """The reporter of a large body; the rest is skipped, which takes a tenth of the decoding. Invalid JSON has none."""
    try:
        found = _reporter_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = _Reporter()
    return Reporter(found.room_id, found.user_id)
