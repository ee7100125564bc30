"""docs/api.md has an example answer of every operation, as the server answers it now."""

import pytest

from roompulse.settings import Settings
from roompulse.web.api.openapi.document import openapi_document
from tests.api_examples import examples, section, written


async def test_the_examples_are_what_the_server_answers() -> None:
    assert section(await examples()) == written(), "make api-examples writes them again"


@pytest.mark.parametrize(("path", "methods"), openapi_document(Settings())["paths"].items())
def test_every_operation_has_one(path: str, methods: dict[str, object]) -> None:
    for method in set(methods) - {"head"}:
        assert f"### {method.upper()} {path}\n" in written(), "make api-examples writes it"
