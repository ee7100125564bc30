"""The socket that the server listens on."""

import socket

from roompulse.access.registry import address_family
from roompulse.errors import StartupError
from roompulse.settings import Settings


def listen(settings: Settings) -> socket.socket:
    """Listen on HOST and PORT; raises StartupError if that is not possible."""
    try:
        return socket.create_server((settings.host, settings.port), family=address_family(settings.host))
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]
        raise StartupError(f"cannot listen on {settings.host} port {settings.port}: {reason}") from None
