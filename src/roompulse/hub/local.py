"""The hub of one process."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from roompulse.errors import Unavailable
from roompulse.hub.channel import Channel
from roompulse.hub.contract import Frames, View
from roompulse.hub.mailbox import Mailbox
from roompulse.hub.renderer import Renderer
from roompulse.meters import Meters

T = TypeVar("T")

_RETRY_AFTER = 10


class LocalHub:
    """Implements `Hub`. A room without viewers costs one lookup in a dictionary per change.

    `slowdown_frames` makes the frames for viewers from the seconds between two pushes of a view (0: the push interval).
    """

    def __init__(
        self,
        push_interval: float,
        max_viewers: int,
        max_views: int,
        meters: Meters,
        slowdown_frames: Callable[[int], Frames],
    ) -> None:
        self._push_interval = push_interval
        self._max_viewers = max_viewers
        self._max_views = max_views
        self._meters = meters
        self._slowdown_frames = slowdown_frames
        self._renderer = Renderer(push_interval, self._slowed)
        self._channels: dict[Hashable, Channel] = {}
        # Channels by the room that they show; None: channels of all rooms.
        self._watching: defaultdict[str | None, set[Channel]] = defaultdict(set)
        self.closed = False
        self.viewers = 0

    @property
    def views(self) -> int:
        """The number of different views that have viewers."""
        return len(self._channels)

    @contextmanager
    def subscribe(self, view: View) -> Iterator[Mailbox]:
        self._check_open()
        if self.viewers >= self._max_viewers:
            raise Unavailable(f"the maximum of {self._max_viewers} viewers is reached", retry_after=_RETRY_AFTER)
        channel = self._channel(view)
        mailbox = channel.join()
        if slowdown := self._renderer.slowdown:
            mailbox.put(self._slowdown_frames(slowdown))
        self.viewers += 1
        try:
            yield mailbox
        finally:
            self.viewers -= 1
            self._leave(channel, mailbox)

    def _channel(self, view: View) -> Channel:
        channel = self._channels.get(view.key)
        if channel is None:
            if len(self._channels) >= self._max_views:
                raise Unavailable(
                    f"the maximum of {self._max_views} different views is reached", retry_after=_RETRY_AFTER
                )
            channel = self._channels[view.key] = Channel(view, self._renderer, self._push_interval, self._meters)
            self._watching[view.room_id].add(channel)
        return channel

    def _check_open(self) -> None:
        if self.closed:
            raise Unavailable("the server is shutting down", retry_after=2)

    async def render(self, render: Callable[[], T]) -> T:
        self._check_open()
        return await self._renderer.render(render)

    def _slowed(self, slowdown: int) -> None:
        frames = self._slowdown_frames(slowdown)
        for channel in self._channels.values():
            for mailbox in channel.mailboxes:
                mailbox.put(frames)

    def _leave(self, channel: Channel, mailbox: Mailbox) -> None:
        channel.mailboxes.discard(mailbox)
        if channel.mailboxes:
            return
        channel.close()
        del self._channels[channel.view.key]
        watching = self._watching[channel.view.room_id]
        watching.discard(channel)
        if not watching:
            del self._watching[channel.view.room_id]

    def publish(self, room_ids: Iterable[str]) -> None:
        any_changed = False
        for room_id in room_ids:
            any_changed = True
            for channel in self._watching.get(room_id, ()):
                channel.changed()
        if any_changed:
            self.refresh()

    def refresh(self, *, everywhere: bool = False) -> None:
        for channel in self._channels.values() if everywhere else self._watching.get(None, ()):
            channel.changed()

    def close(self) -> None:
        self.closed = True
        for channel in self._channels.values():
            channel.close()
        self._renderer.close()
