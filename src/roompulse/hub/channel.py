"""One view and its viewers: it is rendered once per change, at most once per push interval."""

import asyncio
import logging

from roompulse.hub.contract import Frames, View
from roompulse.hub.mailbox import Mailbox
from roompulse.meters import Meters

logger = logging.getLogger(__name__)

REST = 4
"""A view rests for so many times the duration of its rendering, so that none takes more than a fifth of the time."""


class Channel:
    """To be used on the event loop in which it was created."""

    def __init__(self, view: View, push_interval: float, meters: Meters) -> None:
        self.view = view
        self.mailboxes: set[Mailbox] = set()
        self._push_interval = push_interval
        self._meters = meters
        self._loop = asyncio.get_running_loop()
        self._due: asyncio.TimerHandle | None = None
        self._changed_at = 0.0
        started = self._loop.time()
        self._frames: Frames = view.render()
        self._rest(started)

    def join(self) -> Mailbox:
        """Add a viewer, whose mailbox begins with the whole view. Later changes are already due and will follow."""
        mailbox = Mailbox()
        if self._frames:
            mailbox.put(self._frames)
            self._meters.frames.inc(len(self._frames))
        self.mailboxes.add(mailbox)
        return mailbox

    def changed(self) -> None:
        if self._due is None:
            self._changed_at = self._loop.time()
            self._due = self._loop.call_later(max(0.0, self._rested_at - self._changed_at), self._push)

    def _rest(self, started: float) -> None:
        now = self._loop.time()
        self._rested_at = max(started + self._push_interval, now + REST * (now - started))

    def _push(self) -> None:
        self._due = None
        started = self._loop.time()
        try:
            frames = self.view.render()
        except Exception:
            logger.exception("the view %r could not be rendered", self.view.key)
            return
        finally:
            self._rest(started)
        if self._frames and not frames:
            changed = self.view.gone
        else:
            changed = {target: frame for target, frame in frames.items() if self._frames.get(target) != frame}
        self._frames = frames
        if changed:
            joined = b"".join(changed.values())
            unread = sum(mailbox.put(changed, joined) for mailbox in self.mailboxes)
            self._meters.pushed(len(changed) * len(self.mailboxes), unread, self._loop.time() - self._changed_at)

    def close(self) -> None:
        if self._due:
            self._due.cancel()
        for mailbox in self.mailboxes:
            mailbox.close()
