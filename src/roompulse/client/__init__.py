"""The client for media servers, tests and simulations: `Reporter` for any thread, `AsyncReporter` for asyncio.

It imports nothing of the server. docs/client.md shows how to use it.
"""

from roompulse.client.model import (
    Audio,
    Connection,
    Content,
    Device,
    Direction,
    Entry,
    Event,
    Network,
    Report,
    Stream,
    Video,
)
from roompulse.client.outbox import Lost
from roompulse.client.reader import AsyncReader, Reader, ReadError
from roompulse.client.reporter import AsyncReporter, Reporter

__all__ = [
    "AsyncReader",
    "AsyncReporter",
    "Audio",
    "Connection",
    "Content",
    "Device",
    "Direction",
    "Entry",
    "Event",
    "Lost",
    "Network",
    "ReadError",
    "Reader",
    "Report",
    "Reporter",
    "Stream",
    "Video",
]
