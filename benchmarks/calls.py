"""The calls that are reported on."""

from collections.abc import Iterator, Sequence
from random import Random

import msgspec
from tests.builders import audio, network, report, stream, video

from roompulse.report.model import Entry, Report, Stream

REFERENCE_TIME = 1746616000


def reference(user_id: str, room_id: str) -> Report:
    """The reference report of docs/api.md in the name of another user."""
    figures = {"timestamp": REFERENCE_TIME}
    return report(user_id, room_id, [Entry(user_id, [stream(video=video(**figures), audio=audio(**figures))])])


def body(one: Report) -> bytes:
    """As an SDK sends it: unknown values are left out."""
    return msgspec.json.encode(_without_nulls(msgspec.to_builtins(one)))


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_nulls(part) for name, part in value.items() if part is not None}
    return [_without_nulls(part) for part in value] if isinstance(value, list) else value


def bulk(room_id: str, users: int, streams: int, reporter: str = "media-server") -> Report:
    """A media server's report on all users of a room: streams sent by each, and received from the following users."""
    entries = [
        Entry(f"user-{user}", [stream(), *(_from(f"user-{(user + step) % users}") for step in range(1, streams))])
        for user in range(users)
    ]
    return report(reporter, room_id, entries, role="server")


def _from(sender_id: str) -> Stream:
    return stream(direction="recv", sender_id=sender_id)


def call(room_id: str, users: int, random: Random, received: int = 8) -> Iterator[Report]:
    """One report of each user: it sends a camera and receives those of others, a tenth of them badly."""
    for user in range(users):
        yield of_user(room_id, user, users, random, received)


def of_user(room_id: str, user: int, users: int, random: Random, received: int = 8) -> Report:
    others = [(user + step) % users for step in range(1, min(received, users - 1) + 1)]
    entries = [Entry(f"user-{user}", [_measured(random, "send")])]
    entries += [Entry(f"user-{other}", [_measured(random, "recv")]) for other in others]
    return report(f"user-{user}", room_id, entries)


def _measured(random: Random, direction: str) -> Stream:
    loss = 5.0 if random.random() < 0.1 else 0.3
    return stream("camera", direction, network=network(rtt=random.randint(20, 200), packet_loss=loss))


def seeded(number: int) -> Random:
    return Random(number)  # noqa: S311  (the same calls in each run)


def bodies(reports: Iterator[Report] | Sequence[Report]) -> Iterator[bytes]:
    return (body(one) for one in reports)
