import asyncio
from collections.abc import Iterable
from typing import Any, cast

import pytest

from roompulse.web.server.coalescing import CoalescingTransport


class Recorder:
    """A transport that records its calls."""

    def __init__(self) -> None:
        self.done: list[bytes | str] = []

    def writelines(self, pieces: Iterable[bytes]) -> None:
        self.done.append(b"".join(pieces))

    def close(self) -> None:
        self.done.append("close")

    def write_eof(self) -> None:
        self.done.append("eof")

    def is_closing(self) -> bool:
        return "close" in self.done


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def transport(recorder: Recorder) -> Any:
    return CoalescingTransport(cast("asyncio.Transport", recorder), asyncio.get_running_loop())


async def test_what_is_written_in_one_turn_is_sent_in_one_piece(
    transport: CoalescingTransport, recorder: Recorder
) -> None:
    transport.write(b"head")
    transport.write(b"body")
    assert recorder.done == []
    await asyncio.sleep(0)
    transport.write(b"more")
    await asyncio.sleep(0)
    assert recorder.done == [b"headbody", b"more"]


async def test_nothing_is_left_behind_at_the_end(transport: CoalescingTransport, recorder: Recorder) -> None:
    transport.write(b"head")
    transport.write_eof()
    transport.write(b"rest")
    transport.close()
    await asyncio.sleep(0)
    assert recorder.done == [b"head", "eof", b"rest", "close"]


async def test_all_else_is_the_transports_own(transport: Any, recorder: Recorder) -> None:
    assert not transport.is_closing()
    recorder.close()
    assert transport.is_closing()
