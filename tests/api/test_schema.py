"""/report/schema.json is the table of fields in docs/api.md, and rejects what the server rejects."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import jsonschema_rs
import msgspec
import pytest

from roompulse.errors import BadRequest
from roompulse.report.decode import decode_report
from roompulse.report.ids import id_fault
from roompulse.report.model import Connection, Device, Entry, Event
from roompulse.web.api.openapi.document import report_schema
from tests.builders import REFERENCE, audio, body, stream, video
from tests.test_docs import table

SCHEMA: Any = report_schema()
ANSWERED = "/report/schema.json"

FULL: Any = msgspec.json.decode(
    body(
        metrics=[
            Entry(
                "u1",
                [
                    stream(
                        video=video(
                            timestamp=1746616000,
                            codec="VP9",
                            frames_dropped=3,
                            freeze_count=2,
                            freeze_duration=1.2,
                            content="screen",
                            limited_by="cpu",
                        ),
                        audio=audio(timestamp=1746616000, codec="opus", level=0.25, muted=False, concealed=1.5),
                    )
                ],
                Device("phone", "Android 15", "Chrome 136", "4g"),
                "Ann",
                Connection("relay", "tls", "connected"),
            )
        ],
        room_name="Stand-up",
        labels={"region": "eu"},
        events=[Event("muted", 1746616000, "mic", "by the host")],
    )
)
"""A report that says all there is to say."""


class Field(NamedTuple):
    """A field as the table has it; `path` is as in an error, and bounds are of the value or of the length of a text."""

    path: str
    type: str
    low: float | None
    high: float | None
    choices: list[str]
    required: bool


def fields() -> Iterator[Field]:
    for names, kind, within, meaning in table("api.md", "## Posting a report"):
        bounds = re.fullmatch(r"(\S+?)(?:–| to )(\S+?)(?: characters)?", within)
        low, high = (number(text) for text in bounds.groups()) if bounds else (None, None)
        for name in names.split(", "):
            path = name.replace("…", "metrics[].streams[].").replace("[]", "[0]")
            yield Field(f"$.{path}", kind, low, high, re.findall("`(.+?)`", within), "required" in meaning)


def number(text: str) -> float:
    """As in 600000 or 10⁷."""
    powers = text.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789"))
    return float(text) if powers == text else 10.0 ** int(powers.removeprefix("10"))


FIELDS = list(fields())


def described(path: str) -> tuple[dict[str, Any], bool]:
    """The schema of the field at `path`, without null, and whether it is required."""
    place, required = SCHEMA, False
    for step in re.findall(r"\w+", path):
        place = named(place)
        required = step in place.get("required", ()) or step == "0"
        place = place["items"] if step == "0" else place["properties"][step]
    return named(place), required


def named(place: dict[str, Any]) -> dict[str, Any]:
    """The schema that a reference leads to; of alternatives the last one but null, as the one for any number is."""
    if choices := [one for one in place.get("anyOf", ()) if one != {"type": "null"}]:
        place = choices[-1]
    return SCHEMA["$defs"][place["$ref"].rpartition("/")[2]] if "$ref" in place else place


def changed(path: str, value: Any) -> Any:
    """The full report with another value at `path`; ... removes it."""
    whole = msgspec.json.decode(msgspec.json.encode(FULL))
    *way, name = [int(step) if step.isdigit() else step for step in re.findall(r"\w+", path)]
    place = whole
    for step in way:
        place = place[step]
    if value is ...:
        del place[name]
    else:
        place[name] = value
    return whole


def wrong_values(field: Field) -> list[Any]:
    longest = round(field.high or 64) if field.type == "string" else 64
    wrong: dict[str, list[Any]] = {
        "id": ["", "x" * 129, 5, True, []],
        "string": [
            *([] if field.low == 0 else [""]),
            "x" * (longest + 1),
            "\0",
            "a\n",
            "a\x7fb",
            "\x85a",
            5,
            True,
            [],
        ],
        "integer": [(field.low or 0) - 1, (field.high or 0) + 1, 0.5, "5", True],
        "number": [(field.low or 0) - 0.001, (field.high or 0) + 0.001, "5", True],
        "boolean": [0, 1, "true", []],
        "array": [{}, "", 5],
        "object": [[], "", 5],
    }
    return wrong[field.type]


def is_valid(report: Any) -> bool:
    formats = {"roompulse-id": lambda text: id_fault(text) is None}
    return jsonschema_rs.Draft202012Validator(SCHEMA, formats=formats, validate_formats=True).is_valid(report)


def refusal(report: Any) -> str:
    with pytest.raises(BadRequest) as refused:
        decode_report(msgspec.json.encode(report))
    return refused.value.message


async def test_it_is_answered_to_everybody(client: httpx.AsyncClient) -> None:
    answer = await client.get(ANSWERED)
    assert answer.json() == SCHEMA
    assert answer.headers["content-type"] == "application/json"
    head = await client.head(ANSWERED)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", answer.headers["etag"])
    again = await client.get(ANSWERED, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_it_is_a_json_schema() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(SCHEMA)


def test_the_reference_report_and_one_that_says_everything_are_valid() -> None:
    assert is_valid(msgspec.json.decode(REFERENCE))
    assert is_valid(FULL)
    assert decode_report(msgspec.json.encode(FULL)) == decode_report(msgspec.json.encode(FULL | {"new": 1}))
    assert is_valid(FULL | {"new": 1})
    assert not is_valid(changed("$.room_id", "a\n"))
    assert not is_valid([])


def test_the_full_report_has_every_field_of_the_table() -> None:
    for field in FIELDS:
        assert changed(field.path, ...) != FULL


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.path)
def test_each_field_is_as_the_table_says(field: Field) -> None:
    schema, required = described(field.path)
    assert required == field.required
    assert schema.get("type", "string") == ("string" if field.type == "id" else field.type)
    assert (schema.get("format") == "roompulse-id") == (field.type == "id")
    low, high = ("minLength", "maxLength") if field.type in ("id", "string") else ("minimum", "maximum")
    assert (schema.get(low), schema.get(high)) == (field.low, field.high)
    assert sorted(schema.get("enum", [])) == sorted(field.choices)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.path)
def test_what_is_out_of_range_is_refused_by_schema_and_server_alike(field: Field) -> None:
    for value in wrong_values(field):
        wrong = changed(field.path, value)
        assert not is_valid(wrong), value
        assert refusal(wrong).startswith(f"{field.path}: "), value


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.path)
def test_what_may_be_left_out_is_the_same_to_both(field: Field) -> None:
    for nothing in (None, ...):
        without = changed(field.path, nothing)
        assert is_valid(without) == (not field.required)
        if field.required:
            assert refusal(without).startswith(f"{field.path}: ")
        else:
            decode_report(msgspec.json.encode(without))
