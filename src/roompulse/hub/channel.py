"""One view and its viewers: it is rendered once per change, at most once per push interval."""

import asyncio
import logging

from roompulse.hub.contract import Frames, View
from roompulse.hub.mailbox import Mailbox
from roompulse.hub.renderer import Renderer
from roompulse.meters import Meters

logger = logging.getLogger(__name__)


class Channel:
    """To be used on the event loop in which it was created."""

    def __init__(self, view: View, renderer: Renderer, push_interval: float, meters: Meters) -> None:
        self.view = view
        self.mailboxes: set[Mailbox] = set()
        self._renderer = renderer
        self._push_interval = push_interval
        self._meters = meters
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._is_due = False
        self._changed_at = 0.0
        self._rested_at = 0.0
        self._frames: Frames = {}

    def join(self) -> Mailbox:
        """Add a viewer, whose mailbox has the whole view as soon as it is rendered. Later changes will follow."""
        mailbox = Mailbox()
        self.mailboxes.add(mailbox)
        if self._frames:
            mailbox.put(self._frames)
            self._meters.frames.inc(len(self._frames))
        else:
            self.changed()
        return mailbox

    def changed(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._changed_at = self._loop.time()
            self._timer = self._loop.call_at(self._rested_at, self._renderer.add, self)

    def push(self) -> None:
        self._is_due = False
        self._rested_at = self._loop.time() + self._push_interval
        try:
            frames = self.view.render()
        except Exception:
            logger.exception("the view %r could not be rendered", self.view.key)
            if not self._frames:
                # These viewers have no content: their streams end, and they connect again.
                for mailbox in self.mailboxes:
                    mailbox.close()
            return
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
        if self._timer:
            self._timer.cancel()
        self._renderer.discard(self)
        for mailbox in self.mailboxes:
            mailbox.close()
