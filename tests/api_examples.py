"""Makes the examples of docs/api.md: a small world with its own clock, in which each operation is called once.

`make api-examples` writes them, and tests/api/test_examples.py compares.
"""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from textwrap import fill
from typing import Any
from unittest.mock import patch

from msgspec import Struct

from roompulse.report.model import Connection, Device, Entry, Event
from roompulse.settings import Settings
from tests.builders import NOW, REFERENCE, network, stream
from tests.calls import Calls
from tests.conftest import Clock
from tests.operators import scope_of

DOCS = Path(__file__).parents[1] / "docs" / "api.md"
BEGIN, END = "<!-- Made by `make api-examples` -->\n", "<!-- Until here -->\n"
WIDTH = 150
SHORTENED = {"/report/schema.json"}
"""Paths with long answers, of which the beginning is enough."""

STREAMS = {
    "/report/stream/{room_id}": "/report/stream/standup?users=0",
    "/report/stream": "/report/stream?limit=1",
}

AT = f"{NOW:.0f}"
FROM = f"{NOW + 60:.0f}"
RULE: dict[str, Any] = {
    "name": "EU rooms lose packets",
    "severity": "warning",
    "subject": "room",
    "scope": {"room": "eu-*"},
    "when": [{"metric": "packet_loss_p95", "op": ">", "value": 5, "clear": 3}],
    "for": 60,
}
CHANNEL = {"name": "ops", "kind": "webhook", "url": "https://example.com/hook"}


class Asked(Struct, frozen=True):
    """A request: its path as in OpenAPI, and its URL and body."""

    method: str
    path: str
    url: str
    body: Any = None


def ids(count: Iterator[int]) -> Any:
    """Replaces generated ids: the same at each run."""
    return lambda size=8: f"{next(count):0{2 * size}x}"


@contextmanager
def nothing_is_random() -> Iterator[None]:
    with ExitStack() as patches:
        patches.enter_context(patch("secrets.token_hex", ids(iter(range(1, 1000)))))
        patches.enter_context(patch("secrets.token_bytes", bytes))
        patches.enter_context(patch("secrets.token_urlsafe", lambda size: "A" * (size * 4 // 3)))
        letters = iter("abcdefghij" * 100)
        patches.enter_context(patch("secrets.choice", lambda _: next(letters)))
        yield


async def hold_a_call(calls: Calls) -> None:
    """Two minutes of a call in which bo receives ada's camera badly."""
    ada = Entry("ada", [stream()], Device("desktop", "macOS 15", "Firefox 142", "ethernet"), "Ada Lovelace")
    bad = stream(direction="recv", network=network(packet_loss=9), audio=None)
    bo = Entry("bo", [stream("mic", video=None)], connection=Connection("relay", "udp", "connected"))
    channel = await calls.client.post("/report/alerts/channels", json=CHANNEL)
    rule = (await calls.client.get("/report/alerts/rules/user-poor")).json()["data"]
    rule["channels"] = [channel.json()["data"]["id"]]
    assert (await calls.client.put("/report/alerts/rules/user-poor", json=rule)).status_code == 200
    for second in range(0, 130, 10):
        events = [Event("device changed", detail="headset")] if second == 20 else None
        of_room = {"room_id": "standup", "room_name": "Stand-up"}
        await calls.post(second, "ada", [ada], labels={"region": "eu"}, events=events, **of_room)
        await calls.post(second, "bo", [bo, Entry("ada", [bad])], **of_room)
        await calls.look()
        await calls.core.recorder.look(NOW + second)
        await calls.core.alerts.tick()


async def first_event(calls: Calls, url: str) -> str:
    """The first event of a stream, which is left then."""
    path, _, query = url.partition("?")
    events: asyncio.Queue[bytes] = asyncio.Queue()
    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        return messages.pop() if messages else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message.get("body"):
            events.put_nowait(message["body"])

    scope = scope_of("GET", path, {}) | {"query_string": query.encode()}
    stream = asyncio.create_task(calls.app(scope, receive, send))
    while (first := await events.get()).startswith(b"event: ping"):
        pass
    stream.cancel()
    await asyncio.wait([stream])
    return first.decode().strip()


async def requests(calls: Calls) -> AsyncIterator[Asked]:
    """Reads, then changes, each after those that it needs."""
    room, user = "/report/{}/standup", "/report/{}/standup/bo"
    of_room, of_user = "/report/{}/{{room_id}}", "/report/{}/{{room_id}}/{{user_id}}"
    (alert,) = (await calls.client.get("/report/alerts")).json()["data"]
    base = "/report/alerts"
    for path in ("/report/rooms", "/report/overview", "/report/calls", "/report/schema.json"):
        yield Asked("GET", path, path)
    yield Asked("GET", of_room.format("metrics"), room.format("metrics"))
    yield Asked("GET", of_user.format("metrics"), user.format("metrics"))
    yield Asked("GET", of_room.format("history"), room.format("history") + "?limit=1")
    yield Asked("GET", of_user.format("history"), user.format("history") + "?limit=1")
    yield Asked("GET", of_room.format("events"), room.format("events") + "?limit=3")
    yield Asked("GET", of_room.format("calls"), room.format("calls"))
    yield Asked("GET", "/report/calls/{room_id}/{started_at}", f"/report/calls/standup/{AT}")
    yield Asked("GET", "/report/insights", "/report/insights?by=browser")
    yield Asked("GET", "/report/trends", f"/report/trends?from={FROM}&step=60")
    yield Asked("GET", base, base)
    yield Asked("GET", f"{base}/{{alert_id}}/deliveries", f"{base}/{alert['id']}/deliveries")
    yield Asked("POST", f"{base}/{{alert_id}}/acknowledge", f"{base}/{alert['id']}/acknowledge", {"note": "on it"})
    async for asked in _of_settings(calls, base):
        yield asked
    async for asked in _of_operators(calls):
        yield asked
    yield Asked("POST", "/report/metrics", "/report/metrics", json.loads(REFERENCE))


async def _id_of(calls: Calls, path: str, **fields: Any) -> Any:
    """The id of the one in this list that has these fields."""
    listed = (await calls.client.get(path)).json()["data"]
    (found,) = [one["id"] for one in listed if fields.items() <= one.items()]
    return found


async def _of_settings(calls: Calls, base: str) -> AsyncIterator[Asked]:
    yield Asked("POST", f"{base}/rules", f"{base}/rules", RULE)
    rule = f"{base}/rules/{{rule_id}}", f"{base}/rules/{await _id_of(calls, f'{base}/rules', name=RULE['name'])}"
    yield Asked("GET", f"{base}/rules", f"{base}/rules")
    yield Asked("GET", *rule)
    yield Asked("PUT", *rule, RULE | {"for": 120})
    yield Asked("POST", f"{base}/rules/preview", f"{base}/rules/preview", {"rule": RULE, "from": NOW})
    yield Asked("DELETE", *rule)
    silence = {"room_id": "standup", "until": "2027-01-15T10:00:00Z", "reason": "maintenance"}
    yield Asked("POST", f"{base}/silences", f"{base}/silences", silence)
    yield Asked("GET", f"{base}/silences", f"{base}/silences")
    made = await _id_of(calls, f"{base}/silences")
    yield Asked("DELETE", f"{base}/silences/{{silence_id}}", f"{base}/silences/{made}")
    yield Asked("POST", f"{base}/channels", f"{base}/channels", CHANNEL | {"call_ended": True})
    yield Asked("GET", f"{base}/channels", f"{base}/channels")
    made = await _id_of(calls, f"{base}/channels", call_ended=True)
    channel = f"{base}/channels/{{channel_id}}", f"{base}/channels/{made}"
    yield Asked("GET", *channel)
    yield Asked("PUT", *channel, {"name": "ops", "kind": "webhook", "enabled": False})
    yield Asked("POST", f"{channel[0]}/test", f"{channel[1]}/test")
    yield Asked("DELETE", *channel)


async def _of_operators(calls: Calls) -> AsyncIterator[Asked]:
    notes, note = ("/report/notes/{room_id}", "/report/notes/standup"), {"text": "called bo", "user_id": "bo"}
    yield Asked("POST", *notes, note)
    one = "/report/notes/{room_id}/{note_id}", f"{notes[1]}/{await _id_of(calls, notes[1])}"
    yield Asked("GET", *notes)
    yield Asked("PUT", *one, {"text": "called bo: is on a train"})
    yield Asked("DELETE", *one)
    share = {"path": "/rooms/standup/users/bo", "expires_in": 86_400, "hide_ids": True}
    yield Asked("POST", "/report/shares", "/report/shares", share)
    yield Asked("GET", "/report/shares", "/report/shares")
    yield Asked("DELETE", "/report/shares/{share_id}", f"/report/shares/{await _id_of(calls, '/report/shares')}")
    yield Asked("DELETE", "/report/history/{room_id}/{user_id}", "/report/history/standup/ada")
    yield Asked("DELETE", "/report/users/{user_id}", "/report/users/bo")
    yield Asked("DELETE", "/report/history/{room_id}", "/report/history/standup")


async def examples() -> dict[tuple[str, str], str]:
    """The examples in Markdown, by method and path."""
    found = {}
    with tempfile.TemporaryDirectory() as folder, nothing_is_random():
        async with Calls.of(Settings(data=Path(folder)), Clock()) as calls:
            await hold_a_call(calls)
            for path, url in STREAMS.items():
                found["GET", path] = f"`GET {url}` begins with\n\n```\n{await first_event(calls, url)}\n```\n"
            async for asked in requests(calls):
                answer = await calls.client.request(asked.method, asked.url, json=asked.body)
                assert answer.is_success, (asked, answer.text)
                found[asked.method, asked.path] = _in_words(asked, answer.status_code, answer.json())
    return found


def _in_words(asked: Asked, status: int, answer: Any) -> str:
    sent = f"```json\n{compact(asked.body)}\n```\n\n" if asked.body is not None else ""
    shown = compact(answer)
    if asked.path in SHORTENED:
        shown = "\n".join([*shown.splitlines()[:8], "  …"])
    return f"`{asked.method} {asked.url}`: {status}\n\n{sent}```json\n{shown}\n```\n"


def compact(value: Any, indent: int = 0, column: int = 0) -> str:
    """JSON with values that fit into a line in one; it begins at this column."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + column <= WIDTH or not isinstance(value, dict | list) or not value:
        return line
    inner = " " * (indent + 2)
    if not any(isinstance(one, str | dict | list) for one in value):  # as many of them in a line as there is room for
        return f"[\n{fill(line[1:-1], WIDTH, initial_indent=inner, subsequent_indent=inner)}\n{' ' * indent}]"
    if isinstance(value, dict):
        names = {f"{inner}{json.dumps(name)}: ": one for name, one in value.items()}
        parts, brackets = [f"{name}{compact(one, indent + 2, len(name))}" for name, one in names.items()], "{}"
    else:
        parts, brackets = [f"{inner}{compact(one, indent + 2, indent + 2)}" for one in value], "[]"
    lines = ",\n".join(parts)
    return f"{brackets[0]}\n{lines}\n{' ' * indent}{brackets[1]}"


def section(found: dict[tuple[str, str], str]) -> str:
    """The text between BEGIN and END."""
    return "\n" + "\n".join(f"### {method} {path}\n\n{text}" for (method, path), text in found.items()) + "\n"


def written() -> str:
    """The present text."""
    return DOCS.read_text().partition(BEGIN)[2].partition(END)[0]


def main() -> None:
    before, _, rest = DOCS.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCS.write_text(f"{before}{BEGIN}{section(asyncio.run(examples()))}{END}{after}")


if __name__ == "__main__":
    main()
