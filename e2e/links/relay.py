"""A link that is bad: UDP relayed through this process, which drops, delays and queues packets.

A page with a bad link sees the address of the relay instead of the other side's, and hides its own: so all its media
goes through here, in both directions. No privilege and no kernel module is needed.
"""

import asyncio
import random
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from msgspec import Struct
from playwright.sync_api import Page

LONGEST_QUEUE = 0.5
"""Seconds of packets that a slow link queues; further ones are lost."""

SHOW_ADDRESSES = "--disable-features=WebRtcHideLocalIpsWithMdns"

_Address = tuple[str, int]

BEHIND_A_LINK = """
const setRemote = RTCPeerConnection.prototype.setRemoteDescription;
RTCPeerConnection.prototype.setRemoteDescription = async function ({ type, sdp }) {
  return setRemote.call(this, { type, sdp: await relayed(sdp) });
};
const local = Object.getOwnPropertyDescriptor(RTCPeerConnection.prototype, "localDescription").get;
Object.defineProperty(RTCPeerConnection.prototype, "localDescription", {
  get() {
    const found = local.call(this);
    const sdp = found?.sdp.replace(/^a=candidate.*\\r\\n/gm, "");
    return found && new RTCSessionDescription({ type: found.type, sdp });
  },
});
"""
"""For a page, before its own scripts; `relayed` is bound to Relay.relayed."""


class Impairment(Struct, frozen=True):
    """Of one direction: share of packets lost, seconds of delay, kbit/s that pass (None: any)."""

    loss: float = 0.0
    delay: float = 0.0
    kbit: float | None = None


class _Direction:
    """Sends passing packets, each at its time."""

    def __init__(self, impairment: Impairment, seed: int) -> None:
        self.impairment = impairment
        self._random = random.Random(seed)  # noqa: S311  (not for secrets)
        self._free_at = 0.0

    def send(self, transport: asyncio.DatagramTransport, data: bytes, to: _Address | None) -> None:
        impairment = self.impairment
        if transport.is_closing() or self._random.random() < impairment.loss:
            return
        loop = asyncio.get_running_loop()
        at = loop.time()
        if impairment.kbit is not None:
            sent = max(self._free_at, at) + len(data) * 8 / 1000 / impairment.kbit
            if sent - at > LONGEST_QUEUE:
                return
            at = self._free_at = sent
        loop.call_at(at + impairment.delay, _sendto, transport, data, to)


def _sendto(transport: asyncio.DatagramTransport, data: bytes, to: _Address | None) -> None:
    if not transport.is_closing():
        transport.sendto(data, to)


class _Front(asyncio.DatagramProtocol):
    """Where the page sends to."""

    def __init__(self, up: _Direction) -> None:
        self._up = up
        self.back: asyncio.DatagramTransport | None = None
        self.transport: asyncio.DatagramTransport | None = None
        self.page: _Address | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.page = addr
        if self.back:
            self._up.send(self.back, data, None)


class _Back(asyncio.DatagramProtocol):
    """From where the other side is sent to."""

    def __init__(self, front: _Front, down: _Direction) -> None:
        self._front = front
        self._down = down

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self._front.transport and self._front.page:
            self._down.send(self._front.transport, data, self._front.page)


class Relay:
    """The link of one page, both ways; all its connections share its bandwidth."""

    def __init__(self, loop: asyncio.AbstractEventLoop, up: Impairment, down: Impairment) -> None:
        self._loop = loop
        self._transports: list[asyncio.DatagramTransport] = []
        self._up, self._down = _Direction(up, seed=1), _Direction(down, seed=2)

    def becomes(self, up: Impairment, down: Impairment) -> None:
        self._up.impairment, self._down.impairment = up, down

    def stand_before(self, page: Page) -> None:
        """To be called before the page is loaded."""
        page.expose_function("relayed", self.relayed)
        page.add_init_script(BEHIND_A_LINK)

    def relayed(self, sdp: str) -> str:
        """A description whose one candidate is here, in front of its first one of IPv4; raises ValueError for none.

        Chromium hides the addresses of a page unless it is started with SHOW_ADDRESSES.
        """
        found = re.search(r"^a=candidate:\S+ 1 udp \S+ (\d+\.\d+\.\d+\.\d+) (\d+) typ host.*$", sdp, re.M | re.I)
        if found is None:
            raise ValueError(f"no candidate has an IPv4 address: {sdp}")
        port = asyncio.run_coroutine_threadsafe(self._open((found[1], int(found[2]))), self._loop).result(10)
        candidate = f"a=candidate:1 1 udp 2113937151 {found[1]} {port} typ host"
        kept = re.sub(r"^a=(candidate:|end-of-candidates).*\r\n", "", sdp, flags=re.M)
        return re.sub(r"^(a=ice-pwd:.*\r\n)", rf"\g<1>{candidate}\r\n", kept, flags=re.M)

    async def close(self) -> None:
        for transport in self._transports:
            transport.close()

    async def _open(self, target: _Address) -> int:
        front = _Front(self._up)
        listening, _ = await self._loop.create_datagram_endpoint(lambda: front, local_addr=(target[0], 0))
        back, _ = await self._loop.create_datagram_endpoint(lambda: _Back(front, self._down), remote_addr=target)
        front.back = back
        self._transports += [listening, back]
        port: int = listening.get_extra_info("sockname")[1]
        return port


class Relays:
    """Makes relays, which run until the end of `relays()`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._links: list[Relay] = []

    def link(self, *, up: Impairment = Impairment(), down: Impairment = Impairment()) -> Relay:  # noqa: B008  (frozen)
        link = Relay(self._loop, up, down)
        self._links.append(link)
        return link

    async def close(self) -> None:
        for link in self._links:
            await link.close()
        await asyncio.sleep(0)  # until they are


@contextmanager
def relays() -> Iterator[Relays]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="relay")
    thread.start()
    links = Relays(loop)
    try:
        yield links
    finally:
        asyncio.run_coroutine_threadsafe(links.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
