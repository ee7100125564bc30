"""A simulated user: its links, camera, microphone and screen, and how their figures vary."""

import math
from collections.abc import Iterable
from random import Random
from typing import TypeVar

from msgspec.structs import replace

from roompulse.client import Device
from roompulse.simulate.troubles import AFFECTED, NOTHING, Fault

T = TypeVar("T")

MEMORY = 20.0
"""Time constant in seconds: how long the value of a figure depends on earlier ones."""

SDK_VERSIONS = {"2.8.1": 55, "2.8.0": 20, "2.7.4": 15, "3.0.0-beta.2": 7, "1.9.12": 3}
DEVICES = {
    Device("desktop", "Windows 11", "Chrome 142", "wifi"): 40,
    Device("desktop", "macOS 26", "Safari 26", "wifi"): 20,
    Device("desktop", "Windows 11", "Firefox 145", "ethernet"): 15,
    Device("mobile", "Android 16", "Chrome 142", "cellular"): 15,
    Device("tablet", "iPadOS 26", "Safari 26", "wifi"): 10,
}
REGIONS = {"eu-west": 45, "us-east": 35, "ap-south": 20}
CAMERAS = {(1280, 720, 30, 1900): 45, (1280, 720, 25, 1500): 30, (640, 360, 25, 560): 20, (1920, 1080, 30, 3600): 5}
"""Width and height (px), fps and kbit/s."""

ACCESS = {(32, 4, 0.1): 70, (45, 9, 0.4): 23, (90, 16, 0.8): 7}
"""Cable, Wi-Fi and mobile: rtt and jitter (ms), packet loss (percent), with the number of 100 users that have them."""

SAY_GOODBYE = 0.8
"""Share of users who leave on purpose; the others stop reporting."""

MUTES_EVERY = 90.0
"""Seconds on average until a user turns the microphone on or off."""

SCREEN = (1920, 1080, 12, 1700)


class Walk:
    """A figure that varies around its mean (an Ornstein–Uhlenbeck process)."""

    def __init__(self, mean: float, spread: float, low: float = 0.0, high: float = math.inf) -> None:
        self._mean, self._spread, self._low, self._high = mean, spread, low, high
        self.value = mean

    def step(self, random: Random, seconds: float) -> None:
        keep = math.exp(-seconds / MEMORY)
        away = (self.value - self._mean) * keep + random.gauss(0, self._spread) * math.sqrt(1 - keep * keep)
        self.value = min(self._high, max(self._low, self._mean + away))


class Link:
    """One direction between a user and the media server: `rtt` and `jitter` ms, `packet_loss` percent."""

    def __init__(self, random: Random, rtt: float, jitter: float, packet_loss: float) -> None:
        rtt = min(4 * rtt, random.lognormvariate(math.log(rtt), 0.3))
        self.rtt = Walk(rtt, rtt / 8, low=4)
        self.jitter = Walk(jitter, jitter / 4, low=0.4)
        self.packet_loss = Walk(packet_loss, packet_loss, high=4)

    def step(self, random: Random, seconds: float) -> None:
        for walk in (self.rtt, self.jitter, self.packet_loss):
            walk.step(random, seconds)


class Picture:
    """The encoded video of a camera or a screen."""

    def __init__(self, width: int, height: int, fps: int, bitrate: int) -> None:
        self.width, self.height = width, height
        self.frame_rate = Walk(fps, 0.6, low=fps - 3, high=fps)
        self.bitrate = Walk(bitrate, bitrate / 15, low=bitrate * 0.8, high=bitrate * 1.2)

    def step(self, random: Random, seconds: float) -> None:
        self.frame_rate.step(random, seconds)
        self.bitrate.step(random, seconds)


class Participant:
    """`pictures` are by stream id; `sending` and `receiving` are the impairments of its streams since its last step.

    `faults` are those of the user. They depend only on its `home`, so that all else is as without them.
    """

    def __init__(
        self, user_id: str, random: Random, *, leaves_at: float, home: str = "", faults: Iterable[Fault] = ()
    ) -> None:
        self.user_id = user_id
        self.leaves_at = leaves_at
        self.sdk_version = _weighted(random, SDK_VERSIONS)
        habits = Random(user_id)  # noqa: S311
        self.device = _weighted(habits, DEVICES)
        self.says_goodbye = habits.random() < SAY_GOODBYE
        self.region = _weighted(Random(f"{home}/region"), REGIONS)  # noqa: S311
        self.faults = [fault for fault in faults if Random(f"{home}/{fault.value}").random() < 1 / AFFECTED]  # noqa: S311
        for fault in self.faults:
            if fault.of == "browser":
                self.device = replace(self.device, browser=fault.value)
            else:
                setattr(self, fault.of, fault.value)
        self.pictures: dict[str, Picture] = {}
        if random.random() < 0.85:
            self.pictures["camera"] = Picture(*_weighted(random, CAMERAS))
        if random.random() < 0.1:
            self.pictures["screen"] = Picture(*SCREEN)
        self.muted = random.random() < 0.5
        self.voice = Walk(36, 4, low=24, high=64)
        access = _weighted(random, ACCESS)
        self.up, self.down = Link(random, *access), Link(random, *access)
        self.sending = self.receiving = NOTHING

    def step(self, random: Random, seconds: float) -> bool:
        """Let so many seconds pass; returns whether the microphone was turned on or off."""
        parts: list[Walk | Link | Picture] = [self.up, self.down, self.voice, *self.pictures.values()]
        for part in parts:
            part.step(random, seconds)
        turned = random.random() < seconds / MUTES_EVERY
        self.muted ^= turned
        return turned


def _weighted(random: Random, choices: dict[T, int]) -> T:
    return random.choices(list(choices), list(choices.values()))[0]
