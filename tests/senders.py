"""Senders that switch to another server when one fails, and record acknowledged reports."""

import threading
from itertools import count
from typing import Self

import httpx

from tests.builders import body
from tests.process import DEADLINE, eventually
from tests.server import PLAIN

TIMEOUT = 5.0
"""Seconds after which a sender switches to the next server."""

PAUSE = 0.01
"""Seconds after each report. Without it, senders take the CPU that a server needs that starts meanwhile."""

NOBODY_LEAVES = {"LEAVE_AFTER": 3600}
"""Settings of their servers: each user reports once, and a loaded machine takes long over a test."""


class Senders:
    """Post reports of ever new users to `room-1`, each to the next server that takes it, until the context ends."""

    def __init__(self, urls: list[str], threads: int = 4) -> None:
        self.acknowledged: set[str] = set()
        self._urls = urls
        self._ids = count()
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(DEADLINE)

    def go_on(self, reports: int = 20) -> None:
        """Return when so many further reports are acknowledged."""
        enough = len(self.acknowledged) + reports
        eventually(lambda: len(self.acknowledged) >= enough)

    def _run(self, turn: int) -> None:
        with httpx.Client(headers={"Content-Type": "application/json"}, verify=PLAIN, timeout=TIMEOUT) as client:
            while not self._stopped.wait(PAUSE):
                user_id, url = f"u{next(self._ids)}", self._urls[turn % len(self._urls)]
                try:
                    answer = client.post(f"{url}/report/metrics", content=body(user_id=user_id))
                except httpx.HTTPError:
                    turn += 1
                    continue
                if answer.status_code == 200:
                    self.acknowledged.add(user_id)
                else:
                    turn += 1
