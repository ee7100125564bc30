import pytest
from hypothesis import given
from hypothesis import strategies as st

from roompulse.printable import printable


def test_plain_text_of_any_script_stays_as_it_is() -> None:
    assert printable("a b/ü 会議室 غرفة") == "a b/ü 会議室 غرفة"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a\nb", "a\\nb"),
        ("a\r\nb", "a\\r\\nb"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u2028b", "a\\u2028b"),
        ("a\N{NO-BREAK SPACE}b", "a\\xa0b"),
        ("a\U000e0041b", "a\\U000e0041b"),
        ("a\ud800b", "a\\ud800b"),
    ],
)
def test_what_could_forge_a_line_or_turn_it_round_is_escaped(text: str, escaped: str) -> None:
    assert printable(text) == escaped


def test_long_text_is_cut_and_says_so() -> None:
    assert printable("x" * 200) == "x" * 200
    assert printable("x" * 201) == "x" * 199 + "…"
    assert printable("abcdef", 4) == "abc…"


@given(st.text())
def test_anything_becomes_one_line(text: str) -> None:
    assert printable(text).isprintable()
