"""Senders that keep a ledger of acknowledged reports, and a check whether a server still has them."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import httpx

from roompulse.report.model import Entry
from tests.api import url
from tests.builders import body, stream, video
from tests.server import Server

ENTRIES = 2
"""Of each report: it is to be found with all of them, or not at all."""


class Sender:
    """One user in its own room, who posts numbered reports over one connection until the server is gone."""

    def __init__(self, server: Server, user_id: str, room_id: str) -> None:
        self._server = server
        self.user_id = user_id
        self.room_id = room_id
        self.waits = False
        self.acknowledged: list[int] = []
        self.refused: list[int] = []
        self.broken: Exception | None = None
        self._stop = False
        self._thread = Thread(target=self._post)

    def report(self, number: int) -> bytes:
        streams = [stream(video=video(bitrate=number))]
        metrics = [Entry(self.user_id, streams), Entry("somebody else", streams)]
        return body(room_id=self.room_id, user_id=self.user_id, metrics=metrics)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._stop = True
        self._thread.join()

    def _post(self) -> None:
        with self._server.client() as client:
            number = 0
            while not self._stop:
                number += 1
                self.waits = True
                try:
                    status = client.post("/report/metrics", content=self.report(number)).status_code
                except httpx.TransportError as error:
                    self.broken = error
                    return
                self.waits = False
                (self.acknowledged if status == 200 else self.refused).append(number)
                assert status in {200, 503}

    def found(self, server: Server) -> Counter[int]:
        """How often each number is in history."""
        path = url("report", "history", self.room_id, self.user_id)
        answer = server.get(f"{path}?from=0&limit=10000")
        samples: list[dict[str, Any]] = answer.json()["data"] if answer.status_code == 200 else []
        return Counter(sample["video"]["bitrate"] for sample in samples)

    def assert_kept(self, server: Server, acknowledged: int | None = None) -> None:
        """Acknowledged reports (the first so many, or all) are in history once, and at most the next one besides."""
        expected = self.acknowledged[:acknowledged]
        found = self.found(server)
        lost = [number for number in expected if number not in found]
        assert lost == [], f"{self.user_id} has lost {lost}"
        assert set(found.values()) <= {ENTRIES}, f"{self.user_id} has in part, or more than once, {found}"
        if acknowledged is None:
            # It may have been committed, and the server killed before the answer.
            assert len(found) <= len(expected) + 1


class Load:
    """Several senders at the same time."""

    def __init__(self, server: Server, name: str = "u", senders: int = 4) -> None:
        self.senders = [Sender(server, f"{name}-{number}", f"room-{number}") for number in range(senders)]

    @contextmanager
    def running(self) -> Iterator["Load"]:
        for sender in self.senders:
            sender.start()
        try:
            yield self
        finally:
            for sender in self.senders:
                sender.end()

    @property
    def acknowledged(self) -> int:
        return sum(len(sender.acknowledged) for sender in self.senders)

    def assert_kept(self, server: Server) -> None:
        for sender in self.senders:
            sender.assert_kept(server)

    def assert_live(self, server: Server) -> None:
        """A user that reported a moment ago is in its room."""
        for sender in self.senders:
            if sender.acknowledged:
                user = server.get(url("report", "metrics", sender.room_id, sender.user_id)).json()["data"]
                assert user["streams"][0]["video"]["bitrate"] >= sender.acknowledged[-1]


def assert_sound(data: Path) -> None:
    """The database of a server that was stopped or killed is whole; looking changes nothing for its next start."""
    with closing(sqlite3.connect(f"file:{data / 'roompulse.db'}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
