"""Scenes that tests and pictures have in common."""

import math
import time
from pathlib import Path

from tests.builders import audio, body, network, stream, video

from roompulse.report.decode import decode_report
from roompulse.report.model import Entry, Received, Stream
from roompulse.rooms.aggregate import step_start
from roompulse.rooms.limits import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.settings import Settings
from roompulse.store.engine import Database
from roompulse.store.sql import SqlStore

ROOM = "design-review"
SNAPSHOT_EVERY = 10
PAST_SNAPSHOTS = 90
USERS = ("amelie", "bashir", "chiyo", "dolores", "emeka")


def sends(user: str, trouble: float) -> list[Stream]:
    """What a user sends: Bashir on a busy uplink, Dolores on a train, everybody else well; `trouble` is 0 to 1."""
    cameras = {
        "bashir": stream(video=video(bitrate=640), network=network(rtt=140, jitter=18, packet_loss=2.4)),
        "dolores": stream(
            video=video(frame_rate=round(25 - 14 * trouble), bitrate=1200 - 890 * trouble),
            network=network(rtt=60 + 250 * trouble, jitter=8 + 38 * trouble, packet_loss=4.8 * trouble),
        ),
    }
    streams = [cameras.get(user, stream(video=video(bitrate=1350 + 40 * len(user))))]
    if user == "amelie":
        screen = video(frame_rate=15, width=1920, height=1080, bitrate=1900)
        streams.append(stream("screen", video=screen, audio=None, network=network(rtt=38, jitter=6, packet_loss=0.1)))
    return streams


def receives(sender: str, receiver: str) -> Stream:
    """Measured from the media server to the receiver: what is bad here is bad for the receiver alone."""
    path = network(rtt=190, jitter=24, packet_loss=2.6) if receiver == "dolores" else network(rtt=52, jitter=9)
    picture = video(frame_rate=13, bitrate=900) if sender == "dolores" else video()
    return stream(direction="recv", network=path, video=picture, audio=audio(bitrate=48))


def scene(trouble: float = 1.0) -> list[bytes]:
    """One report of each user: its own streams, and what it receives of the others."""
    reports = []
    for user in USERS:
        metrics = [Entry(user, sends(user, trouble))]
        metrics += [Entry(other, [receives(other, user)]) for other in USERS if other != user]
        reports.append(body(user_id=user, room_id=ROOM, sdk_version="2.8.1", metrics=metrics))
    return reports


async def store_past(data: Path) -> None:
    """Store a quarter of an hour of snapshots of the scene, in which the network of Dolores gets worse and worse."""
    database = Database(Settings(data=data))
    now = step_start(time.time(), SNAPSHOT_EVERY)
    async with database.open():
        store = SqlStore(database)
        rooms = RoomsInMemory(Limits(1, 100, 100), stale_after=15, leave_after=60)
        for count in range(PAST_SNAPSHOTS):
            at = now - (PAST_SNAPSHOTS - count) * SNAPSHOT_EVERY
            for report in scene(trouble=count / PAST_SNAPSHOTS * (0.8 + 0.2 * math.sin(count))):
                rooms.apply(Received(decode_report(report), at))
            room = rooms.get(ROOM)
            assert room
            await store.add_snapshots(at, [(ROOM, room.metrics().aggregate)])
