"""Scenes that tests and pictures have in common."""

import math
import time
from pathlib import Path

from tests.builders import audio, body, network, stream, video

from roompulse.report.decode import decode_report
from roompulse.report.model import Device, Entry, Received, Stream
from roompulse.rooms.admission import Limits
from roompulse.rooms.aggregate import step_start
from roompulse.rooms.memory import RoomsInMemory
from roompulse.settings import Settings
from roompulse.store.engine import Database
from roompulse.store.sql_store import SqlStore

ROOM = "design-review"
SNAPSHOT_EVERY = 10
PAST_SNAPSHOTS = 90
USERS = ("amelie", "bashir", "chiyo", "dolores", "emeka")


def sends(user: str, trouble: float) -> list[Stream]:
    """A user's sent streams: Bashir on a busy uplink, Dolores on a train, all others good; `trouble` is 0 to 1."""
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
    """Measured from the media server to the receiver: trouble here affects only the receiver."""
    path = network(rtt=190, jitter=24, packet_loss=2.6) if receiver == "dolores" else network(rtt=52, jitter=9)
    seen = {"codec": "VP9", "frames_dropped": 3, "freeze_count": 2}
    picture = video(frame_rate=13, bitrate=900, **seen) if sender == "dolores" else video(**seen)
    sound = audio(bitrate=48, codec="opus", level=0.12, muted=sender == "chiyo", concealed=1.4)
    return stream(direction="recv", network=path, video=picture, audio=sound)


def scene(trouble: float = 1.0) -> list[bytes]:
    """One report of each user: its own streams, and the received ones of others."""
    reports = []
    for user in USERS:
        metrics = [Entry(user, sends(user, trouble), Device("laptop", "macOS 15", "Firefox 139", "wifi"))]
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


def odd_intake() -> list[bytes]:
    """Reports of three SDK versions: one is fine, one mistakes units and is refused at times, one says nothing."""
    now = int(time.time())
    fine = [body(sdk_version="web 2.8.1", user_id=f"web-{number}", report_time=now) for number in range(30)]
    odd = [
        body(
            sdk_version="ios 0.9-beta",
            user_id=f"ios-{number}",
            report_time=now - 40,
            metrics=[Entry(f"ios-{number}", [_in_other_units(number)])],
        )
        for number in range(25)
    ]
    refused = [
        odd[0].replace(b'"send"', b'"up"'),
        body(sdk_version="ios 0.9-beta", user_id="ios-1", report_time=-1),
        *(body(sdk_version="ios 0.9-beta", metrics=[Entry(f" {name}", [])]) for name in ("mia", "noah", "olivia")),
        b"{",
        b"user=u1&room=room-1",
    ]
    return [*fine, fine[0], *odd, *refused]


def _in_other_units(number: int) -> Stream:
    """Loss as a fraction, jitter and rtt in seconds, bitrates in bit/s."""
    return stream(
        video=video(bitrate=1_200_000 + number),
        audio=audio(bitrate=48_000 + number),
        network=network(rtt=0.04 + number / 1000, jitter=0.003 + number / 10_000, packet_loss=0.004 + number / 1000),
    )
