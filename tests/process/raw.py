"""Bytes over a socket, as no client library would send them."""

import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Self

from msgspec import Struct

from tests.process import DEADLINE


class Answer(Struct, frozen=True):
    """`body` is None where it has no length: a stream."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None


class Raw:
    """One connection to a server."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE, source_address=(source, 0))
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def send(self, data: bytes) -> Self:
        self._socket.sendall(data)
        return self

    def send_if_open(self, data: bytes) -> None:
        """Send data that the server may have refused before it arrived."""
        with suppress(ConnectionError):
            self._socket.sendall(data)

    def answer(self, *, method: str = "GET") -> Answer:
        """The next answer; fails if there is none, or it is not HTTP."""
        version, status, _ = self._line().split(" ", 2)
        assert version == "HTTP/1.1"
        headers = {}
        while line := self._line():
            name, separator, value = line.partition(": ")
            assert separator
            assert name.lower() not in headers, f"{name} is there twice"
            headers[name.lower()] = value
        if status == "100":
            return self.answer(method=method)
        empty = method == "HEAD" or status in {"204", "304"}
        length = "0" if empty else headers.get("content-length")
        return Answer(int(status), headers, None if length is None else self._file.read(int(length)))

    def is_closed(self) -> bool:
        """Wait until the server closes, and say whether it does so without another byte."""
        try:
            return self._file.read(1) == b""
        except ConnectionResetError:
            return True

    def is_closed_while_sending(self, fragment: bytes) -> bool:
        """Send the same again and again, and say whether the server puts an end to it."""
        deadline = time.monotonic() + DEADLINE
        try:
            while time.monotonic() < deadline:
                self._socket.sendall(fragment)
        except OSError:
            return True
        return False

    def _line(self) -> str:
        line = self._file.readline(65_536)
        assert line.endswith(b"\r\n"), line
        return line[:-2].decode("latin-1")
