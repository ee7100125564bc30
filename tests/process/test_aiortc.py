"""The example for aiortc: two ends in Python call each other, and the server has the figures of their getStats()."""

import asyncio
from typing import Any

import pytest
from aiortc import AudioStreamTrack, RTCConfiguration, RTCPeerConnection, VideoStreamTrack
from aiortc.contrib.media import MediaBlackhole
from examples.aiortc.report import Watched

from roompulse.client import AsyncReporter
from tests.process import soon
from tests.server import Server

pytestmark = pytest.mark.slow


async def call(one: RTCPeerConnection, other: RTCPeerConnection) -> None:
    one.addTrack(AudioStreamTrack())
    one.addTrack(VideoStreamTrack())
    await one.setLocalDescription(await one.createOffer())
    await other.setRemoteDescription(one.localDescription)
    await other.setLocalDescription(await other.createAnswer())
    await one.setRemoteDescription(other.localDescription)


async def test_a_call_of_aiortc_is_reported(server: Server) -> None:
    ada, ben = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))

    player = MediaBlackhole()
    ben.on("track", player.addTrack)

    def streams() -> dict[tuple[str, str, str], Any]:
        data = server.get("/report/metrics/room-1").json()["data"]
        found = [one for user in data["users"] for one in user["streams"]] if data else []
        return {(one["stream_id"], one["direction"], one["reporter_id"]): one for one in found}

    async def are_there() -> bool:
        found = await asyncio.to_thread(streams)
        figures = [one["network"] for one in found.values() if one["network"]]
        return len(found) == len(figures) == 4 and any(one["rtt"] for one in figures)

    async with AsyncReporter(server.url) as reporter:
        async with (
            Watched(ada, reporter, room="room-1", user="ada", interval=1),
            Watched(ben, reporter, room="room-1", user="ben", other="ada", interval=1),
        ):
            await call(ada, ben)
            await player.start()
            await soon(are_there)
            found = streams()
            assert set(found) == {
                (name, *where) for name in ("camera", "mic") for where in (("send", "ada"), ("recv", "ben"))
            }
            assert found["camera", "send", "ada"]["video"]["bitrate"] > 10
            assert all(one["network"]["packet_loss"] == 0 for one in found.values())
        await player.stop()
        await ada.close()
        await ben.close()
        assert await reporter.flush()
    assert server.get("/report/metrics/room-1").status_code == 404, "both said that they leave"
