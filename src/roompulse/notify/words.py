"""Messages for people: a subject of one line, and a text that says what, where, since when, how bad, and the link."""

from datetime import UTC, datetime

from roompulse.notify.model import Message, alert_of
from roompulse.settings import Settings


def base_url(settings: Settings) -> str:
    """Where operators reach the pages, with a `/` at its end."""
    own = f"http://{f'[{settings.host}]' if ':' in settings.host else settings.host}:{settings.port}"
    return f"{(settings.public_url or own + settings.root_path).rstrip('/')}/"


def subject(message: Message) -> str:
    """One line: names of rules may have separators of lines."""
    alert = alert_of(message)
    where = " / ".join(filter(None, (alert.room_id, alert.user_id))) or "server"
    state = "TEST" if message.type == "alert.test" else alert.state.upper()
    return " ".join(f"[{state}] {alert.severity}: {alert.rule}: {where}".split())


def text(message: Message, base: str) -> str:
    alert = alert_of(message)
    lines = [alert.text, f"Since {_at(alert.started_at)}"]
    if alert.resolved_at is not None:
        lines[-1] += f" until {_at(alert.resolved_at)}"
    return "\n".join([*lines, f"{base}{alert.path}"])


def _at(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
