"""Reports in a small world: every field has a default, and a test names only the relevant ones."""

from typing import Any

import msgspec

from roompulse.report.model import Audio, Entry, Network, Received, Report, Stream, Video

REFERENCE = b"""{"user_id":"u1","room_id":"room-1","sdk_version":"1.2.0","report_time":1746616000,
 "metrics":[{"user_id":"u1","streams":[{"stream_id":"camera","direction":"send",
   "video":{"timestamp":1746616000,"frame_rate":25,"width":1280,"height":720,"bitrate":1200},
   "audio":{"timestamp":1746616000,"sample_rate":48000,"channels":2,"bitrate":64},
   "network":{"rtt":45,"packet_loss":0.3,"jitter":8}}]}]}"""
"""The reference report of the contract: room-1, u1 at 4.37."""

NOW = 1_800_000_000.0
"""A server's time, in Unix seconds."""


def video(**figures: Any) -> Video:
    return Video(**({"frame_rate": 25, "width": 1280, "height": 720, "bitrate": 1200} | figures))


def audio(**figures: Any) -> Audio:
    return Audio(**({"sample_rate": 48000, "channels": 2, "bitrate": 64} | figures))


def network(rtt: float | None = 45, jitter: float | None = 8, packet_loss: float | None = 0.3) -> Network:
    return Network(rtt=rtt, packet_loss=packet_loss, jitter=jitter)


def stream(stream_id: str = "camera", direction: Any = "send", **parts: Any) -> Stream:
    return Stream(stream_id, direction, **({"video": video(), "audio": audio(), "network": network()} | parts))


def report(user_id: str = "u1", room_id: str = "room-1", metrics: list[Entry] | None = None, **fields: Any) -> Report:
    """A report by `user_id`, about its own camera unless `metrics` says otherwise."""
    entries = [Entry(user_id, [stream()])] if metrics is None else metrics
    values: dict[str, Any] = {"sdk_version": "1.2.0", "report_time": 1746616000, "metrics": entries} | fields
    return Report(user_id, room_id, **values)


def received(at: float = NOW, **fields: Any) -> Received:
    return Received(at=at, position=fields.pop("position", 0), report=report(**fields))


def body(**fields: Any) -> bytes:
    """The request body of `report(**fields)`."""
    return msgspec.json.encode(report(**fields))
