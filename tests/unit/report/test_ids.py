import pytest
from hypothesis import given
from hypothesis import strategies as st

from roompulse.report.ids import JOINERS, id_fault
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
        "علی\u200cرضا",
        "👩\u200d💻 dev",
        "ക്\u200dഷ",
        "a\u200cb\u200dc",
        "%2F",
        "...",
        ".hidden",
        "a..",
        "'\"&;--",
        "e\u0301",
        "\ue000",
    ],
)
def test_it_accepts_ids_of_any_script(value: str) -> None:
    assert id_fault(value) is None


@given(ids)
def test_it_accepts_all_that_the_rule_allows(value: str) -> None:
    assert id_fault(value) is None


def test_it_counts_code_points_and_accepts_128_of_them() -> None:
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
        ("\u202e", "format"),
        ("\ufeff", "format"),
        ("\U000e0001", "format"),
        ("\ud800", "surrogate"),
        ("\u2028", "line separator"),
        ("\u2029", "paragraph separator"),
    ],
)
@pytest.mark.parametrize("template", ["{}", "a{}b", "a{}", "{}b"])
def test_it_names_the_character_that_it_refuses(character: str, kind: str, template: str) -> None:
    fault = id_fault(template.format(character))
    where = template.index("{")
    assert fault == f"must not contain {kind} characters (U+{ord(character):04X} at {where})"


@given(
    st.text(max_size=20),
    st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"], exclude_characters=JOINERS),
    st.text(max_size=20),
)
def test_it_refuses_every_control_format_and_separator_character_anywhere(
    before: str, character: str, after: str
) -> None:
    assert id_fault(before + character + after) is not None


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u1680", "\u2003", "\u202f", "\u3000"])
@pytest.mark.parametrize("template", ["{}a", "a{}", "{}"])
def test_it_refuses_a_blank_at_either_end(blank: str, template: str) -> None:
    assert id_fault(template.format(blank)) == "must not begin or end with a blank"
    assert id_fault(f"a{blank}b") is None


@pytest.mark.parametrize("joiner", list(JOINERS))
@pytest.mark.parametrize(("template", "position"), [("{}", 0), ("{}a", 0), ("a{}", 1), ("a{}{}b", 1), ("a{}b{}", 3)])
def test_it_refuses_a_joiner_that_is_not_between_two_other_characters(
    joiner: str, template: str, position: int
) -> None:
    assert id_fault(template.format(joiner, joiner)) == (
        f"must have joiners only between two other characters (U+{ord(joiner):04X} at {position})"
    )


def test_two_different_joiners_do_not_stand_beside_each_other() -> None:
    assert id_fault("a\u200c\u200db") == "must have joiners only between two other characters (U+200C at 1)"
