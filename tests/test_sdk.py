"""The browser SDK as a file: its size, its types and its docs. Its behaviour is tested in e2e/sdk."""

import gzip
import re

import pytest

from tests.sdk_module import MODULE, SOURCE, made
from tests.test_docs import ROOT, table

CODE = SOURCE.read_text()
TYPES = MODULE.with_suffix(".d.ts").read_text()

MOST_BYTES = 8_000
"""Compressed; so that a page need not think about whether it can afford the SDK."""


def members(interface: str) -> set[str]:
    """Names of the members of an interface or a class of the types."""
    block = re.search(rf"export (?:interface|class) {interface} {{\n(.*?)^}}", TYPES, re.DOTALL | re.MULTILINE)
    assert block
    return set(re.findall(r"^  (?:(?:static|get|set) )?(\w+)\??[:(]", block[1], re.MULTILINE))


def names_in(pattern: str) -> set[str]:
    """Names that the code takes out of an object, as in `function pulse({ url, room })`."""
    found = re.search(pattern, CODE)
    assert found
    return set(re.findall(r"(?:^|,)\s*(\w+)", found[1]))


def test_the_module_is_made_of_its_source() -> None:
    assert MODULE.read_text() == made(), "run `make sdk`"


def test_the_module_is_small() -> None:
    assert len(gzip.compress(MODULE.read_bytes(), 9)) <= MOST_BYTES


def test_the_sdk_depends_on_nothing() -> None:
    assert re.findall(r"^import |import\(|require\(", CODE, re.MULTILINE) == []


def test_the_types_export_what_the_code_exports() -> None:
    exported = set(re.findall(r"^export (?:class|const|function) (\w+)", CODE, re.MULTILINE))
    declared = set(re.findall(r"^export (?:class|const|function) (\w+)", TYPES, re.MULTILINE))
    assert declared == exported - {"measure"}  # which is there for the tests


def test_the_types_have_the_options_of_the_code() -> None:
    options = names_in(r"const \{ (url.*?) \} = options;") | names_in(r"const \{ (onError) = .*? \} = options;")
    assert members("RoomPulseOptions") == options
    assert members("WatchOptions") == set(re.findall(r"options\?\.(\w+)", CODE))


def test_the_types_have_what_a_name_is_asked_and_answers() -> None:
    assert members("StreamInfo") == names_in(r"named\(name, track, \{(.*?)\}\)")
    assert members("StreamName") == names_in(r"const \{([^}]*)\} = text\(given\)")


def test_the_types_have_what_a_pulse_has() -> None:
    block = CODE[CODE.rindex("  Object.assign(holder, {\n") :].partition("\n  });")[0]
    named = set(re.findall(r"^    (\w+)[:(,]", block, re.MULTILINE))
    named |= set(re.findall(r'^  (?:static |Object\.defineProperty\(holder, ")(\w+)', CODE, re.MULTILINE))
    assert members("RoomPulse") - {"constructor"} == named


def test_the_docs_have_the_options() -> None:
    assert {row[0].strip("`") for row in table("browser-sdk.md", "## Options")} == members("RoomPulseOptions")


@pytest.mark.parametrize("document", ["README.md", "docs/browser-sdk.md"])
def test_the_documented_import_is_a_file_and_uses_what_there_is(document: str) -> None:
    text = (ROOT / document).read_text()
    imported = re.search(r'import \{ (\w+) \} from "http://localhost:8180(/static/sdk/[\w.]+)"', text)
    assert imported
    assert (ROOT / imported[2].lstrip("/")).exists()
    assert f"export class {imported[1]} " in CODE
    assert set(re.findall(r"pulse\.(\w+)\(", text)) <= members("RoomPulse")
