"""The sender for each kind of channel."""

from collections.abc import Awaitable, Callable, Mapping

from roompulse.calls.model import CallReport
from roompulse.clock import Clock
from roompulse.notify.apprise import AppriseSender
from roompulse.notify.courier import Sender
from roompulse.notify.email import EmailSender
from roompulse.notify.model import EndedCall, Kind
from roompulse.notify.targets import Targets
from roompulse.notify.webhook import WebhookSender
from roompulse.settings import Settings


def all_senders(
    settings: Settings, clock: Clock, report: Callable[[EndedCall], Awaitable[CallReport]]
) -> Mapping[Kind, Sender]:
    """Raises StartupError for settings that cannot be used."""
    targets = Targets(private=settings.alert_private_targets)
    return {
        "webhook": WebhookSender(targets, clock, report),
        "email": EmailSender(targets, settings),
        "apprise": AppriseSender(targets, settings),
    }
