"""Reports as no SDK would send them, and the properties of each: `make fuzz` tries them for a while.

Findings are kept in `tests/corpus/`, a file for each outcome, and replayed by `tests/unit/report/test_fuzz.py`.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from roompulse.errors import BadRequest
from roompulse.hub.contract import View
from roompulse.intake.intake import Intake
from roompulse.meters import Meters
from roompulse.overview.rooms_index import RoomsIndex
from roompulse.quality import arithmetic
from roompulse.report.decode import decode_report
from roompulse.report.model import MILLISECONDS_FROM, Received, Report
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.rated_samples import SampleRater
from roompulse.rooms.trends import Trends
from roompulse.store.packing import pack_report, unpack_entry, unpack_report
from roompulse.web.api.downloads import USERS_COLUMNS, _row_of
from roompulse.web.api.encoded_rooms import EncodedRooms
from roompulse.web.api.stream import RoomJsonView
from roompulse.web.html.assets import Assets
from roompulse.web.html.templates import Templates
from roompulse.web.http.envelope import success
from roompulse.web.pages.ingest_health import IngestHealthPage
from roompulse.web.pages.query import IntakeQuery, RoomsQuery, UserQuery, UsersQuery
from roompulse.web.pages.room import RoomSections, room_view
from roompulse.web.pages.rooms import RoomsPage
from roompulse.web.pages.user import UserSections, user_view
from roompulse.web.pages.users import UsersPage
from tests.api.test_schema import FULL
from tests.builders import NOW
from tests.timelines import timeline_of

CORPUS = Path(__file__).with_name("corpus")
_LARGEST_KEPT = 2_000
_LONGEST_MESSAGE = 400

Node = Any


class Raw(str):
    """A JSON text, to be written as it is."""

    __slots__ = ()


class Pairs(tuple[tuple[Any, Any], ...]):
    """A JSON object, in which a name may come twice."""

    __slots__ = ()


NUMBERS = ["-0", "-0.0", "0", "0.0", "1", "-1", "0.1", "42.0", "1e2", "1E+2", "1e-400", "-1e-400", "1e400", "-1e400"]
NUMBERS += ["5e-324", "1.7976931348623157e308", "65535.0", "65535.5", "1e14", "100000000000000.5", "-1e14", "1e30"]
NUMBERS += [str(2**bits + extra) for bits in (31, 32, 53, 63, 64, 128) for extra in (-1, 0, 1)]
NUMBERS += ["9" * 400, "9" * 5_000, "-" + "9" * 5_000, "1." + "0" * 5_000, "0." + "9" * 400, "1e" + "9" * 400]
NUMBERS += ["01", "+1", ".5", "5.", "1e", "0x10", "1_000", "NaN", "Infinity", "-Infinity", "nan", "١"]
TEXTS = [
    "",
    " ",
    "a",
    "a ",
    "a\n",
    "a\x00",
    ".",
    "..",
    "a" * 64,
    "a" * 65,
    "a" * 128,
    "a" * 129,
    "a" * 10_000,
    "😀" * 128,
]
TEXTS += ["علی\u200cرضا", "👩\u200d💻 dev", "\u200da", "a\u200c", "a\u200d\u200db", "a\u2028b", "a\u2029b"]
TEXTS += ["\u202e", "\u200b", "\ufeff", "\u2028", "\u0085", "\ufffe", "\U0010ffff", "e\u0301", "ı", "ß", "İ", "\u0430"]
TEXTS += [
    "<script>",
    '"',
    "'",
    "\\",
    "</script>",
    "javascript:1",
    "=1+1",
    "'=1",
    "%00",
    "%2e%2e",
    "a/b",
    "$.metrics[0]",
]
TEXTS += ["{{7*7}}", "event: x", " - at `$.x`", "`", "send", "recv", "camera", "screen", "NaN"]
ESCAPES = [
    r'"\ud800"',
    r'"\udfff\ud800"',
    r'"\ud83d\ude00"',
    r'"\u0000"',
    r'"\x"',
    r'"\u12"',
    r'"\/"',
    r'"\u202E"',
    '"\t"',
]
ESCAPES += ['"a', '"\\"', r'"\u000a"', r'"\b\f\n\r\t"', "'a'", '"\x7f"', '"a"b"']
OTHERS = [
    "true",
    "false",
    "null",
    "True",
    "None",
    "[]",
    "{}",
    "[[]]",
    "[null]",
    "[{}]",
    '{"":{}}',
    "",
    ",",
    ":",
    "//",
    "/**/",
]
OTHERS += ["[" * depth + "]" * depth for depth in (10, 900, 5_000)] + ['{"a":' * 900 + "1" + "}" * 900, "[" * 5_000]

tokens = st.one_of(
    st.sampled_from(NUMBERS),
    st.sampled_from(ESCAPES),
    st.sampled_from(OTHERS),
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    (st.sampled_from(TEXTS) | st.text(max_size=130)).map(json.dumps),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8).map(lambda text: f'"{text}"'),
).map(Raw)


def written(node: Node) -> str:
    if isinstance(node, Raw):
        return node
    if isinstance(node, Pairs):
        return "{" + ",".join(f"{written(name)}:{written(value)}" for name, value in node) + "}"
    if isinstance(node, list):
        return "[" + ",".join(map(written, node)) + "]"
    return json.dumps(node, ensure_ascii=False)


def paired(value: Any) -> Node:
    if isinstance(value, dict):
        return Pairs((name, paired(one)) for name, one in value.items())
    return [paired(one) for one in value] if isinstance(value, list) else value


def steps(node: Node) -> Iterator[tuple[int, ...]]:
    """The way to each value inside."""
    inside = [value for _, value in node] if isinstance(node, Pairs) else node if isinstance(node, list) else []
    for place, value in enumerate(inside):
        yield (place,)
        yield from ((place, *rest) for rest in steps(value))


def replaced(node: Node, way: tuple[int, ...], change: Callable[[Any], list[Any]]) -> Node:
    """The same with the item (a pair, in an object) at the end of `way` replaced by the result of `change`."""
    place, *rest = way
    item = node[place]
    if not rest:
        items = change(item)
    elif isinstance(node, Pairs):
        items = [(item[0], replaced(item[1], tuple(rest), change))]
    else:
        items = [replaced(item, tuple(rest), change)]
    new = [*node[:place], *items, *node[place + 1 :]]
    return Pairs(new) if isinstance(node, Pairs) else new


@st.composite
def documents(draw: st.DrawFn) -> str:
    """The fullest report, with up to four of its values, names or items changed, left out, or there again."""
    node = paired(FULL)
    for _ in range(draw(st.integers(0, 4))):
        if ways := list(steps(node)):
            change = partial(
                changed, token=draw(tokens), times=draw(st.integers(0, 5)), how=draw(st.sampled_from(CHANGES))
            )
            node = replaced(node, draw(st.sampled_from(ways)), change)
    return written(node)


CHANGES = ["value", "value", "value", "name", "again", "beside"]


def changed(item: Any, token: Raw, times: int, how: str) -> list[Any]:
    """An item of an array, or a pair of an object, as something else: another one, none, several."""
    is_pair = isinstance(item, tuple) and not isinstance(item, Pairs)
    if how == "again":
        return [item] * times
    if how == "name" and is_pair:
        return [(token, item[1])]
    other = (item[0], token) if is_pair else token
    return [other, item] if how == "beside" else [other]


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A report as bytes: most often UTF-8, and most often whole."""
    text = draw(documents())
    encoding = draw(st.sampled_from(["utf-8"] * 8 + ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"]))
    body = text.encode(encoding, "replace" if encoding == "latin-1" else "surrogatepass")
    how = draw(st.sampled_from(["whole"] * 5 + ["cut", "more", "splice"]))
    if how == "cut":
        return body[: draw(st.integers(0, len(body)))]
    if how == "more":
        return body + draw(st.sampled_from([b"\n", b" \t\r\n", b"}", b"{}", b"\x00", b",", b"\xff", b"\x1e", body]))
    if how == "splice":
        at = draw(st.integers(0, len(body)))
        odd = st.sampled_from(
            [b"\x00", b"\xff", b"\xc0\xae", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x80", b"\x1b"]
        )
        return body[:at] + draw(odd | st.binary(max_size=3)) + body[at + draw(st.integers(0, 3)) :]
    return body


class World:
    """The processing of a report in the server."""

    def __init__(self) -> None:
        self._templates = Templates(Assets())
        self._meters = Meters()

    def refuse(self, refused: BadRequest, body: bytes) -> None:
        intake = self._new_intake()
        intake.refused(refused, body)
        self._show_intake(intake)

    def _new_intake(self) -> Intake:
        return Intake(self._meters, lambda: NOW)

    def _show_intake(self, intake: Intake) -> None:
        for frame in IngestHealthPage(intake, self._templates).view(IntakeQuery()).render().values():
            assert_one_event(frame)

    def take(self, report: Report) -> None:
        packed = pack_report(((entry.streams, {}) for entry in report.metrics), {}, report.report_time)
        entries = [unpack_entry(entry, report.report_time) for entry in unpack_report(packed)[0]]
        assert entries == [(entry.streams, {}) for entry in report.metrics]
        rooms = RoomsInMemory(Limits(10, 10_000, 10_000), stale_after=15, leave_after=60)
        received = Received(report, NOW)
        rooms.admit([received])
        rooms.apply(received)
        self._show(rooms, report)
        intake = self._new_intake()
        intake.accepted([received], rooms)
        self._show_intake(intake)
        for sample in SampleRater().rate(received):
            assert isinstance(arithmetic(sample.quality), str)
            assert _row_of(USERS_COLUMNS.values())(sample)

    def _show(self, rooms: RoomsInMemory, report: Report) -> None:
        room = rooms.get(report.room_id)
        assert room
        assert json.loads(success(room.metrics()))["data"]["room_id"] == report.room_id
        timeline = timeline_of(rooms, lambda: NOW)
        timeline.look(NOW)
        index, users_page = RoomsIndex(rooms, dict), UsersPage(rooms, self._templates)
        trends, intake = Trends(10, 10), self._new_intake()
        rooms_page = RoomsPage(rooms, index, users_page, trends, intake, str, self._templates, lambda: NOW)
        shown: list[View] = [
            RoomJsonView(rooms, EncodedRooms(), timeline, report.room_id, with_users=True),
            room_view(rooms, RoomSections(self._templates), report.room_id, UserQuery()),
            rooms_page.view(RoomsQuery(report.user_id)),
            users_page.view(UsersQuery()),
        ]
        shown += [
            user_view(rooms, UserSections(self._templates), report.room_id, user.user_id)
            for user in room.metrics().users
        ]
        for view in shown:
            for frame in view.render().values():
                assert_one_event(frame)


def assert_one_event(frame: bytes) -> None:
    """As a browser reads it: lines end with CR, LF or both, and an empty one ends an event."""
    assert frame.endswith(b"\n\n")
    lines = re.split(r"\r\n|\r|\n", frame.decode()[:-2])
    assert all(re.match(r"(data|event|id): ", line) for line in lines)
    assert sum(line.startswith(("event: ", "id: ")) for line in lines) <= 2


def outcome(body: bytes, world: World) -> str:
    """The outcome of a body, without its own words and numbers; fails for an unexpected one."""
    try:
        report = decode_report(body)
    except BadRequest as refused:
        message = refused.message
        assert re.match(r"\$[.\[\w\]]*: .", message), message
        assert len(message) <= _LONGEST_MESSAGE, message
        assert message.isprintable(), message
        world.refuse(refused, body)
        return re.sub(r"'.*'|\d+", "", message)
    world.take(report)
    assert isinstance(report.report_time, int)
    assert report.report_time <= MILLISECONDS_FROM
    streams = [stream for entry in report.metrics for stream in entry.streams]
    return f"taken: {min(2, len(report.metrics))} {min(2, len(streams))} {sorted(map(_parts, streams))[:2]}"


def _parts(stream: Any) -> str:
    return "".join(name[0] for name in ("video", "audio", "network") if getattr(stream, name))


def keep(body: bytes, kind: str) -> None:
    (CORPUS / f"{kind}-{sha256(body).hexdigest()[:12]}").write_bytes(body)


def fuzz(examples: int) -> None:
    """Try so many bodies, and keep one of each outcome that was not seen before, or the one that failed."""
    world = World()
    seen = {outcome(path.read_bytes(), world) for path in CORPUS.iterdir()}
    last = b""

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=False,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(bodies())
    def run(body: bytes) -> None:
        nonlocal last
        last = body
        found = outcome(body, world)
        if found not in seen and len(body) <= _LARGEST_KEPT:
            seen.add(found)
            keep(body, found.partition(":")[0] if found.startswith("taken") else "refused")

    try:
        run()
    except BaseException:
        # Hypothesis ends with the smallest one that fails.
        keep(last, "failed")
        raise
    sys.stdout.write(f"{examples} reports, {len(seen)} outcomes are known\n")


if __name__ == "__main__":
    fuzz(int(sys.argv[1]))
