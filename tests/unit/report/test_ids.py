import pytest
from hypothesis import given
from hypothesis import strategies as st

from roompulse.report.ids import id_fault
from tests.unit import ids


@pytest.mark.parametrize(
    "value",
    [
        "u1",
        "Raum 7, Süd",
        "a/b",
        "/",
        "会议室",
        "غرفة",
        "комната",
        "👩🏽",
        "<script>alert(1)</script>",
        "a\u00a0b",
        "a\u2028b",
        "%2F",
        "...",
        ".hidden",
        "a..",
        "'\"&;--",
        "e\u0301",
        "\ue000",
    ],
)
def test_it_takes_ids_of_any_script(value: str) -> None:
    assert id_fault(value) is None


@given(ids)
def test_it_takes_whatever_has_no_control_or_format_character_and_no_blank_at_its_ends(value: str) -> None:
    assert id_fault(value) is None


def test_it_counts_code_points_and_takes_128_of_them() -> None:
    assert id_fault("😀" * 128) is None
    assert id_fault("😀" * 129) == "must have 1 to 128 characters, has 129"


def test_it_refuses_an_empty_id() -> None:
    assert id_fault("") == "must have 1 to 128 characters, has 0"


@pytest.mark.parametrize("value", [".", ".."])
def test_it_refuses_the_ids_that_urls_swallow(value: str) -> None:
    assert id_fault(value) == "must not be '.' or '..'"


@pytest.mark.parametrize(
    ("character", "kind"),
    [
        ("\x00", "control"),
        ("\n", "control"),
        ("\t", "control"),
        ("\x7f", "control"),
        ("\x85", "control"),
        ("\xad", "format"),
        ("\u200b", "format"),
        ("\u200d", "format"),
        ("\u202e", "format"),
        ("\ufeff", "format"),
        ("\U000e0001", "format"),
        ("\ud800", "surrogate"),
    ],
)
@pytest.mark.parametrize("template", ["{}", "a{}b", "a{}", "{}b"])
def test_it_names_the_character_that_it_refuses(character: str, kind: str, template: str) -> None:
    fault = id_fault(template.format(character))
    where = template.index("{")
    assert fault == f"must not contain {kind} characters (U+{ord(character):04X} at {where})"


@given(st.text(max_size=20), st.characters(categories=["Cc", "Cf", "Cs"]), st.text(max_size=20))
def test_it_refuses_every_control_and_format_character_anywhere(before: str, character: str, after: str) -> None:
    assert id_fault(before + character + after) is not None


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u1680", "\u2003", "\u2028", "\u2029", "\u202f", "\u3000"])
@pytest.mark.parametrize("template", ["{}a", "a{}", "{}"])
def test_it_refuses_a_blank_at_either_end(blank: str, template: str) -> None:
    assert id_fault(template.format(blank)) == "must not begin or end with a blank"
    assert id_fault(f"a{blank}b") is None
