import pytest

from roompulse.hub.mailbox import Mailbox
from roompulse.web.sse.multiplex import Multiplexer


class Client:
    """Reads `reads` pieces, and no more until a test says so."""

    def __init__(self, reads: int = 100) -> None:
        self.reads = reads
        self.received: list[bytes] = []
        self.ends = 0

    def deliver(self, frames: bytes) -> bool:
        self.received.append(frames)
        self.reads -= 1
        return self.reads > 0

    def end(self) -> None:
        self.ends += 1

    def text(self) -> str:
        return b"".join(self.received).decode()


def marked(view: int) -> str:
    return f"event: view\ndata: {view}\n\n"


@pytest.fixture
def mailboxes() -> list[Mailbox]:
    return [Mailbox() for _ in range(3)]


def test_frames_of_another_view_are_preceded_by_its_place(mailboxes: list[Mailbox]) -> None:
    client = Client()
    Multiplexer(mailboxes).open(client.deliver, client.end)
    for view, frame in ((0, b"a"), (2, b"b"), (2, b"c"), (0, b"d")):
        mailboxes[view].put({"section": frame})
    assert client.text() == f"a{marked(2)}bc{marked(0)}d"


def test_a_client_that_does_not_read_gets_the_newest_of_each_view_when_it_does(mailboxes: list[Mailbox]) -> None:
    client = Client(reads=1)
    multiplexer = Multiplexer(mailboxes)
    multiplexer.open(client.deliver, client.end)
    for number in range(1_000):
        for view, mailbox in enumerate(mailboxes):
            mailbox.put({"section": f"<{view} {number}>".encode()})
    assert client.text() == "<0 0>"
    client.reads = 100
    multiplexer.ready()
    assert client.text() == (
        f"<0 0>{marked(1)}<1 0>{marked(2)}<2 0>{marked(0)}<0 999>{marked(1)}<1 999>{marked(2)}<2 999>"
    )


def test_a_client_that_reads_slowly_gets_something_of_every_view(mailboxes: list[Mailbox]) -> None:
    client = Client(reads=1)
    multiplexer = Multiplexer(mailboxes)
    multiplexer.open(client.deliver, client.end)
    for number in range(30):
        for view, mailbox in enumerate(mailboxes):
            mailbox.put({"section": f"<{view} {number}>".encode()})
        client.reads = 1
        multiplexer.ready()
    for view in range(3):
        assert client.text().count(f"<{view} ") >= 9


def test_it_ends_when_all_is_delivered(mailboxes: list[Mailbox]) -> None:
    client = Client(reads=1)
    multiplexer = Multiplexer(mailboxes)
    multiplexer.open(client.deliver, client.end)
    for mailbox in mailboxes:
        mailbox.put({"section": b"last"})
    multiplexer.close()
    assert (multiplexer.ended, client.ends) == (False, 0)
    client.reads = 100
    multiplexer.ready()
    assert multiplexer.ended
    assert client.ends >= 1
    assert client.text().count("last") == 3


def test_it_ends_at_once_where_nothing_waits(mailboxes: list[Mailbox]) -> None:
    client = Client()
    multiplexer = Multiplexer(mailboxes)
    multiplexer.open(client.deliver, client.end)
    multiplexer.close()
    assert multiplexer.ended
    assert client.ends >= 1
