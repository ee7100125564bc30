from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from roompulse.validation import plain_fault

Figure = Annotated[int, Meta(ge=0, le=600)] | Annotated[float, Meta(ge=0, le=600)] | None


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (Figure, "-1", "must be at least 0"),
        (Figure, "-0.5", "must be at least 0"),
        (Figure, "601", "must be at most 600"),
        (Figure, '"5"', "must be a number or null, not a string"),
        (Figure, "true", "must be a number or null, not a boolean"),
        (Annotated[float, Meta(gt=0.5)], "0.5", "must be more than 0.5"),
        (Annotated[float, Meta(lt=1)], "1.0", "must be less than 1"),
        (int, "1.5", "must be a whole number, not a fraction"),
        (int | None, "[]", "must be a whole number or null, not an array"),
        (list[int], "{}", "must be an array, not an object"),
        (dict[str, int], "null", "must be an object, not null"),
        (bool, "1", "must be true or false, not a whole number"),
        (Annotated[str, Meta(min_length=1)], '""', "must not be empty"),
        (Annotated[str, Meta(min_length=2)], '"x"', "must have at least 2 characters"),
        (Annotated[str, Meta(max_length=2)], '"xxx"', "must have at most 2 characters"),
        (Annotated[list[int], Meta(max_length=1)], "[1,2]", "must have at most 1 entries"),
        (Literal["a", "b"], '"c"', "invalid enum value 'c'"),
    ],
)
def test_what_msgspec_finds_is_said_in_words(kind: Any, value: str, words: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.json.decode(value, type=kind)
    assert plain_fault(str(raised.value)) == words


def test_a_type_without_what_it_got_is_said_too() -> None:
    assert plain_fault("Expected `int`") == "must be a whole number"


def test_other_messages_stay() -> None:
    assert plain_fault("Number out of range") == "number out of range"
