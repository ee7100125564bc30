"""The hub of one process."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager

from roompulse.errors import Unavailable
from roompulse.hub.channel import Channel
from roompulse.hub.contract import View
from roompulse.hub.mailbox import Mailbox
from roompulse.meters import Meters


class LocalHub:
    """Implements `Hub`. A room without viewers costs one lookup in a dictionary per change."""

    def __init__(self, push_interval: float, max_viewers: int, meters: Meters) -> None:
        self._push_interval = push_interval
        self._max_viewers = max_viewers
        self._meters = meters
        self._channels: dict[Hashable, Channel] = {}
        # Channels by the room that they show; None: those that show all rooms.
        self._watching: defaultdict[str | None, set[Channel]] = defaultdict(set)
        self.closed = False
        self.viewers = 0

    @contextmanager
    def subscribe(self, view: View) -> Iterator[Mailbox]:
        if self.closed:
            raise Unavailable("the server is shutting down", retry_after=2)
        if self.viewers >= self._max_viewers:
            raise Unavailable(f"the maximum of {self._max_viewers} viewers is reached", retry_after=10)
        channel = self._channel(view)
        mailbox = channel.join()
        self.viewers += 1
        try:
            yield mailbox
        finally:
            self.viewers -= 1
            self._leave(channel, mailbox)

    def _channel(self, view: View) -> Channel:
        channel = self._channels.get(view.key)
        if channel is None:
            channel = self._channels[view.key] = Channel(view, self._push_interval, self._meters)
            self._watching[view.room_id].add(channel)
        return channel

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
