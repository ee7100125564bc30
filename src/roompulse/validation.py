"""msgspec's validation errors, in the words of JSON instead of Python's types."""

import re

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a string",
    "bool": "true or false",
    "array": "an array",
    "object": "an object",
    "null": "null",
}
_GOT = {**_KINDS, "float": "a fraction", "bool": "a boolean"}
"""A number that is not of the expected kind has a fraction."""

_BOUND = re.compile(r"Expected `(?:int|float)` (>=|<=|>|<) ([\d.]+)\Z")
_LENGTH = re.compile(r"Expected `(str|array|object)` of length (>=|<=) (\d+)\Z")
_TYPE = re.compile(r"Expected `([a-z |]+)`(?:, got `(\w+)`)?\Z")
_BOUNDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}


def plain_fault(fault: str) -> str:
    """A message of msgspec.ValidationError without its path, as in ``Expected `int` >= 0``: `must be at least 0`.

    A message of another form is returned as it is, in lower case at its start.
    """
    if found := _BOUND.match(fault):
        return f"must be {_BOUNDS[found[1]]} {found[2].removesuffix('.0')}"
    if found := _LENGTH.match(fault):
        kind, bound, length = found.groups()
        if (bound, length) == (">=", "1"):
            return "must not be empty"
        return f"must have {_BOUNDS[bound]} {length} {'characters' if kind == 'str' else 'entries'}"
    if found := _TYPE.match(fault):
        expected = found[1].split(" | ")
        if "int" in expected and "float" in expected:
            expected.remove("int")
        kinds = " or ".join(_KINDS.get(kind, kind) for kind in expected)
        return f"must be {kinds}" + (f", not {_GOT.get(found[2], found[2])}" if found[2] else "")
    return fault[:1].lower() + fault[1:]
