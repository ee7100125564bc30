"""Several views over one connection: browsers open six to a server over HTTP/1.1, however many windows they have."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from roompulse.hub.mailbox import Deliver, Mailbox
from roompulse.web.sse.events import event

MAX_VIEWS = 32
"""Views of one connection. Each counts as a viewer, so that a shared connection costs no more than several."""


class Multiplexer:
    """The mailboxes of several views, delivered to one client as if they were one mailbox.

    The first frames are of the first view. An event `view` precedes frames of another view than before: its data
    is the place of that view's mailbox, counted from 0.

    While the client does not read, mailboxes hold their newest frames. One that has not delivered since does so once
    more: that is kept here, so there are at most two frames for each target.
    """

    def __init__(self, mailboxes: Sequence[Mailbox]) -> None:
        self._mailboxes = mailboxes
        self._turns = deque(mailboxes)  # the order in which they deliver when the client reads again
        self._late: deque[bytes] = deque()
        self._is_writable = False
        self._last_view = 0
        self._deliver: Deliver = lambda _: False
        self._on_end: Callable[[], object] = lambda: None

    def open(self, deliver: Deliver, on_end: Callable[[], object]) -> None:
        self._deliver, self._on_end = deliver, on_end
        self._is_writable = True
        for view, mailbox in enumerate(self._mailboxes):
            mailbox.open(self._deliver_of(view), self._end)

    @property
    def ended(self) -> bool:
        return not self._late and all(mailbox.ended for mailbox in self._mailboxes)

    def put(self, frames: Mapping[str, bytes]) -> int:
        """For frames that belong to no view, such as heartbeats."""
        return self._mailboxes[0].put(frames)

    def ready(self) -> None:
        self._is_writable = True
        while self._late and self._is_writable:
            self._is_writable = self._deliver(self._late.popleft())
        for mailbox in list(self._turns):
            if not self._is_writable:
                break
            self._turns.rotate(-1)  # the first one must not take all of a slow client's reads
            mailbox.ready()
        self._end()

    def close(self) -> None:
        for mailbox in self._mailboxes:
            mailbox.close()

    def _deliver_of(self, view: int) -> Deliver:
        marker = event(str(view), name="view")

        def deliver(frames: bytes) -> bool:
            if self._last_view != view:
                self._last_view = view
                frames = marker + frames
            if self._is_writable:
                self._is_writable = self._deliver(frames)
            else:
                self._late.append(frames)
            return self._is_writable

        return deliver

    def _end(self) -> None:
        if self.ended:
            self._on_end()


AnyMailbox = Mailbox | Multiplexer
