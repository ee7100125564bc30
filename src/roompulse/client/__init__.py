"""The client for media servers, tests and simulations: `Reporter` from any thread, `AsyncReporter` beside asyncio.

It knows nothing of the server's code. docs/client.md shows its use.
"""

from roompulse.client.model import Audio, Direction, Entry, Network, Report, Stream, Video
from roompulse.client.outbox import Lost
from roompulse.client.reporter import AsyncReporter, Reporter

__all__ = [
    "AsyncReporter",
    "Audio",
    "Direction",
    "Entry",
    "Lost",
    "Network",
    "Report",
    "Reporter",
    "Stream",
    "Video",
]
