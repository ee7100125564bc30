"""What the domain raises. `web/problems.py` is the one place that turns these into answers."""

from typing import ClassVar


class StartupError(Exception):
    """The server cannot start; the message is one line for the operator."""


class Problem(Exception):  # noqa: N818  (the field's word for an HTTP error answer, RFC 9457)
    """A request that cannot be served.

    `message` says what is wrong and where, `retry_after` in how many seconds the same request may succeed.
    """

    status: ClassVar[int] = 500

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after


class BadRequest(Problem):
    status = 400


class Unauthorized(Problem):
    """Nobody is known to ask, or not any more."""

    status = 401


class SignedOut(Unauthorized):
    """An operator would be let in after signing in."""


class Forbidden(Problem):
    """Who asks is known, and may not."""

    status = 403


class NotFound(Problem):
    status = 404


class MethodNotAllowed(Problem):
    status = 405

    def __init__(self, method: str, allow: str) -> None:
        super().__init__(f"{method} is not allowed here, only {allow}")
        self.allow = allow


class RequestTimeout(Problem):
    status = 408


class BodyTooLarge(Problem):
    status = 413


class UnsupportedMediaType(Problem):
    status = 415


class TooManyRequests(Problem):
    """The sender asks for more than its share."""

    status = 429


class Unavailable(Problem):
    """The server as a whole cannot take this now."""

    status = 503


class StoreError(Exception):
    """The database failed; nothing of what was asked of it took effect."""
