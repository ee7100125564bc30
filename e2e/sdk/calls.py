"""Calls in Chromium: an application on its own origin, with a page for each participant."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page
from tests.server import Server

from e2e.chromium import ARGUMENTS
from e2e.sdk.origin import served_by

FAKE_DEVICES = [
    *ARGUMENTS,
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--auto-select-desktop-capture-source=Entire screen",
    "--autoplay-policy=no-user-gesture-required",
]
"""A camera with moving pictures, a microphone that beeps and a screen, without permission prompts."""


HERE = Path(__file__).parent
SDK = HERE.parents[1] / "static" / "sdk" / "roompulse.js"


ROOM = "room-1"
PATIENCE = 120
"""Seconds; real media on a busy machine take their time."""


class _Files(SimpleHTTPRequestHandler):
    """The files of the application, and a copy of the SDK."""

    def translate_path(self, path: str) -> str:
        return str(SDK) if path.partition("?")[0] == "/roompulse.js" else super().translate_path(path)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


def serve_application() -> AbstractContextManager[str]:
    """Serve e2e/sdk/call/; the context is its origin."""
    return served_by(partial(_Files, directory=str(HERE / "call")))


class Participant:
    """A page that takes part in a call."""

    def __init__(
        self, context: BrowserContext, application: str, user: str, prepare: Callable[[Page], None] | None = None
    ) -> None:
        """`prepare` is called with the page before it is loaded."""
        self.user = user
        self.page: Page = context.new_page()
        if prepare:
            prepare(self.page)
        self.page.goto(application)
        self.page.wait_for_function("'join' in window")

    def join(self, server: Server, room: str, **options: Any) -> None:
        self.page.evaluate(
            "(options) => join(options)", {"server": server.url, "room": room, "user": self.user} | options
        )

    def capture(self, **options: Any) -> None:
        self.page.evaluate("async (options) => { await capture(options) }", options)

    def call(self, other: "Participant") -> None:
        offer = self.page.evaluate("(name) => offer(name)", other.user)
        answer = other.page.evaluate("([name, offer]) => answer(name, offer)", [self.user, offer])
        self.page.evaluate("([name, answer]) => accept(name, answer)", [other.user, answer])

    def problems(self) -> list[str]:
        found: list[str] = self.page.evaluate("problems")
        return found


class Call:
    """Participants of one room, with a report every second."""

    def __init__(self, context: BrowserContext, application: str, server: Server) -> None:
        self.server = server
        self._context = context
        self._application = application

    def join(self, user: str, *others: Participant, silent: bool = False, **options: Any) -> Participant:
        one = Participant(self._context, self._application, user)
        one.join(self.server, ROOM, **{"interval": 1} | options)
        if not silent:
            one.capture()
        for other in others:
            other.call(one)
        return one

    def users(self) -> dict[str, Any]:
        answer = self.server.get(f"/report/metrics/{ROOM}")
        return {user["user_id"]: user for user in answer.json()["data"]["users"]} if answer.status_code == 200 else {}

    def stream(self, user: str, stream_id: str, direction: str, reporter: str | None = None) -> dict[str, Any]:
        """The newest figures of a stream, or nothing."""
        for stream in self.users().get(user, {"streams": []})["streams"]:
            if (stream["stream_id"], stream["direction"]) == (stream_id, direction):  # noqa: SIM102
                if reporter in (None, stream["reporter_id"]):
                    return dict(stream)
        return {"video": None, "audio": None, "network": None, "quality": {"score": None, "terms": []}}

    def until(self, holds: Callable[[], Any]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline, self.users()
            time.sleep(0.2)

    def sends_video(self, user: str) -> bool:
        video = self.stream(user, "camera", "send")["video"] or {}
        return bool(video.get("frame_rate"))

    def receives_video(self, user: str, reporter: str) -> bool:
        video = self.stream(user, "camera", "recv", reporter)["video"] or {}
        return bool(video.get("frame_rate"))
