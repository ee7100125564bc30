"""The errors that the program raises. Only `web/http/problems.py` turns them into answers."""

from typing import ClassVar, Literal, get_args

Reason = Literal[
    "invalid",
    "unauthorized",
    "forbidden",
    "method",
    "timeout",
    "too_large",
    "unsupported_type",
    "too_many",
    "sender_rate",
    "sender_streams",
    "sender_rooms",
    "sender_users",
    "room_full",
    "reported_users_full",
    "streams_full",
    "bodies_full",
    "unavailable",
    "rooms_full",
    "queue_full",
    "not_saved",
    "shutting_down",
    "other",
]
"""Why a request is rejected, in one word: a label of the metrics."""

REASONS: tuple[Reason, ...] = get_args(Reason)


class StartupError(Exception):
    """The server cannot start; the message is one line for the operator."""


class Problem(Exception):  # noqa: N818  (the field's word for an HTTP error answer, RFC 9457)
    """A request that is rejected.

    `message` says what is wrong and where, `retry_after` in how many seconds the same request may succeed, and
    `reason` distinguishes problems with the same status.
    """

    status: ClassVar[int] = 500
    reason: Reason = "other"

    def __init__(self, message: str, *, retry_after: int | None = None, reason: Reason | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after
        self.reason = reason or self.reason


class BadRequest(Problem):
    status = 400
    reason = "invalid"


class Unauthorized(Problem):
    """The caller is not authenticated, or no longer is."""

    status = 401
    reason = "unauthorized"


class SignedOut(Unauthorized):
    """An operator would be admitted after signing in."""


class Forbidden(Problem):
    """The caller is authenticated, but may not do this."""

    status = 403
    reason = "forbidden"


class NotFound(Problem):
    status = 404


class MethodNotAllowed(Problem):
    status = 405
    reason = "method"

    def __init__(self, method: str, allow: str) -> None:
        super().__init__(f"{method} is not allowed here, only {allow}")
        self.allow = allow


class RequestTimeout(Problem):
    status = 408
    reason = "timeout"


class BodyTooLarge(Problem):
    status = 413
    reason = "too_large"


class UnsupportedMediaType(Problem):
    status = 415
    reason = "unsupported_type"


class TooManyRequests(Problem):
    """A limit of the sender, the room or the address is exceeded."""

    status = 429
    reason = "too_many"


class Unavailable(Problem):
    """The server cannot serve this now."""

    status = 503
    reason = "unavailable"


class StoreError(Exception):
    """The database failed; nothing of the operation took effect."""


class DatabaseLostError(StoreError):
    """The file of the database is not the one that was opened: retrying does not help until an operator acts.

    The message, which pages show, says what happened and what to do.
    """


class DatabaseDamagedError(DatabaseLostError):
    """The file is damaged: it is no longer written, which could make it worse."""
