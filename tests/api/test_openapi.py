"""/report/openapi.json describes the real answers."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import jsonschema_rs
import pytest

from roompulse.access.tokens import sign_token
from roompulse.app import create_app
from roompulse.report.ids import id_fault
from roompulse.settings import Settings
from tests.access import bearer, new_key
from tests.api import serving
from tests.builders import NOW, REFERENCE, body
from tests.conftest import Clock

DOCUMENT = "/report/openapi.json"
STREAMS = {"/report/stream", "/report/stream/{room_id}"}
UNDOCUMENTED = {DOCUMENT}
"""The document does not describe itself."""


@pytest.fixture
async def document(client: httpx.AsyncClient) -> Any:
    answer = await client.get(DOCUMENT)
    assert answer.status_code == 200
    return answer.json()


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def filled(path: str, room_id: str = "room-1", user_id: str = "u1") -> str:
    """A path with these ids, and with those of a default rule and of other things that are not there."""
    ids = {"rule_id": "user-poor", "alert_id": "a", "silence_id": "s", "channel_id": "c"}
    ids |= {"share_id": "s", "note_id": "1", "started_at": f"{NOW}"}
    return path.format(room_id=room_id, user_id=user_id, **ids)


def check(document: Any, schema: Any, value: Any) -> None:
    """Raise where `value` is not as `schema` says."""
    whole = {"components": document["components"], "allOf": [schema]}
    jsonschema_rs.Draft202012Validator(
        whole, formats={"roompulse-id": lambda text: id_fault(text) is None}, validate_formats=True
    ).validate(value)


def check_answer(document: Any, path: str, answer: httpx.Response) -> None:
    """Raise where the answer is not in the document for `path`."""
    operation = document["paths"][path][answer.request.method.lower()]
    documented = operation["responses"][str(answer.status_code)]
    for name in documented.get("headers", {}):
        assert name in answer.headers
    if answer.request.method == "HEAD" or answer.status_code == 304:
        assert answer.content == b""
    else:
        check(document, documented["content"]["application/json"]["schema"], answer.json())


async def test_it_is_openapi_3_1(document: Any) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["info"]["title"] == "roompulse"
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema)


def properties(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """The properties of all schemas, wherever in the document."""
    if isinstance(value, dict):
        found = value.get("properties")
        if isinstance(found, dict):
            yield from ((f"{place}.{name}", schema) for name, schema in found.items())
        for name, one in value.items():
            yield from properties(one, f"{place}/{name}")
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from properties(one, f"{place}[{number}]")


UNITS = re.compile(
    r"seconds|\bms\b|%|kbit/s|pixels|frames|Hz|1\.0 to 4\.5|0 to 1|points|HTTP status|\bunit\b|minutes|users|rooms"
    r"|streams|calls|rows|reports a second|freezes|how (many|often)",
    re.IGNORECASE,
)
"""The unit of a number, or what it counts."""


async def test_every_property_says_what_it_is_and_a_number_its_unit(document: Any, client: httpx.AsyncClient) -> None:
    schema = (await client.get("/report/schema.json")).json()
    found = [*properties(document), *properties(schema)]
    assert len(found) > 400
    for place, one in found:
        assert one.get("description"), place
        kinds = str([kind.get("type") for kind in (one, *one.get("anyOf", ()))])
        if ("integer" in kinds or "number" in kinds) and not place.endswith(".id"):
            assert UNITS.search(one["description"]), (place, one["description"])


async def test_what_it_says_is_the_docstring_of_the_field(document: Any) -> None:
    shown = document["components"]["schemas"]["VerdictSpan"]["properties"]
    assert shown["from"]["description"] == "Unix seconds."  # by its name in JSON
    inherited = document["components"]["schemas"]["Snapshot"]["properties"]
    assert inherited["user_count"]["description"] == "Users in the room."
    assert "null where" in document["components"]["schemas"]["StreamQuality"]["properties"]["score"]["description"]


async def test_every_reference_in_it_leads_somewhere(document: Any) -> None:
    def references(value: Any) -> Iterator[str]:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if key == "$ref":
                yield item
            elif isinstance(item, dict | list):
                yield from references(item)

    found = set(references(document))
    assert found
    for reference in found:
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]


async def test_every_documented_path_is_routed_and_the_other_way_round(document: Any, settings: Settings) -> None:
    routed = {route.path_format for route in create_app(settings).routed.routes}
    assert set(document["paths"]) == {path for path in routed if path.startswith("/report")} - UNDOCUMENTED


async def test_every_documented_method_is_allowed_and_the_other_way_round(
    client: httpx.AsyncClient, document: Any
) -> None:
    for path, methods in document["paths"].items():
        allowed = (await client.request("TRACE", filled(path))).headers["allow"]
        assert {method.upper() for method in methods} == set(allowed.split(", ")) - {"OPTIONS"}, path


async def test_options_of_every_path_are_all_that_it_allows(client: httpx.AsyncClient, settings: Settings) -> None:
    paths = {re.sub(r"{\w+}", "x", route.path_format) for route in create_app(settings).routed.routes}
    assert len(paths) > 70
    for path in paths:
        answer = await client.options(path)
        refused = await client.request("TRACE", path)
        assert (answer.status_code, answer.content) == (204, b""), path
        assert set(answer.headers["allow"].split(", ")) == set(refused.headers["allow"].split(", ")), path


async def test_operations_have_names_of_their_own(document: Any) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    assert all(operation["summary"] for _, _, operation in operations(document))


async def test_path_parameters_are_those_of_the_path(document: Any) -> None:
    for path, _, operation in operations(document):
        named = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"]
        assert named == [part[1:-1] for part in path.split("/") if part.startswith("{")]


async def test_what_is_for_anybody_needs_no_key_and_all_else_may(document: Any) -> None:
    schemes = document["components"]["securitySchemes"]
    asked = set()
    for path, _, operation in operations(document):
        assert ("security" in operation) == (path != "/report/schema.json")
        assert ("401" in operation["responses"]) == ("security" in operation)
        asked |= {name for one in operation.get("security", ()) for name in one}
    assert asked == set(schemes)


async def test_answers_to_strangers_are_as_the_document_says(clock: Clock, document: Any, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "other")
    signing, _ = await new_key(settings, "token")
    await new_key(settings, "read")
    async with serving(settings, clock) as client:
        for path, method, operation in operations(document):
            if "security" in operation:
                answer = await client.request(method, filled(path), content=REFERENCE)
                assert answer.status_code == 401
                if method != "HEAD":
                    check_answer(document, path, answer)
        forbidden = bearer(sign_token(signing, "room-2", "u1", NOW + 60))
        answer = await client.post("/report/metrics", content=REFERENCE, headers=forbidden)
        assert answer.status_code == 403
        check_answer(document, "/report/metrics", answer)


async def test_the_reference_report_is_as_the_document_says(document: Any) -> None:
    posting = document["paths"]["/report/metrics"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    check(document, posting, httpx.Response(200, content=REFERENCE).json())
    nonsense: list[Any] = [{}, {"user_id": "u1"}, []]
    for wrong in nonsense:
        with pytest.raises(jsonschema_rs.ValidationError):
            check(document, posting, wrong)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_answers_are_as_the_document_says(
    settings: Settings, clock: Clock, document: Any, method: str, tmp_path: Path
) -> None:
    async with serving(Settings(data=tmp_path / "other", snapshot_interval=0.05), clock) as client:
        for content in (REFERENCE, body(user_id="u2", metrics=[]), b"{", b""):
            check_answer(document, "/report/metrics", await client.post("/report/metrics", content=content))
        big = b" " * (settings.max_body + 1)
        check_answer(document, "/report/metrics", await client.post("/report/metrics", content=big))
        for path in document["paths"]:
            if path in {"/report/metrics", *STREAMS} or "get" not in document["paths"][path]:
                continue
            for room_id, user_id in (("room-1", "u1"), ("room-1", "u2"), ("room-1", "u3"), ("a/b", "u1")):
                address = filled(path, quote(room_id, safe=""), user_id)
                answer = await client.request(method, address)
                check_answer(document, path, answer)
                known = {"if-none-match": answer.headers.get("etag", "")}
                check_answer(document, path, await client.request(method, address, headers=known))
        check_answer(
            document, "/report/history/{room_id}", await client.request(method, "/report/history/room-1?limit=0")
        )


async def test_a_wrong_answer_would_be_noticed(document: Any) -> None:
    schema = document["paths"]["/report/metrics/{room_id}"]["get"]["responses"]["200"]
    wrong = {"code": 0, "message": "success", "data": {"room_id": "room-1", "updated_at": NOW}}
    with pytest.raises(jsonschema_rs.ValidationError):
        check(document, schema["content"]["application/json"]["schema"], wrong)
