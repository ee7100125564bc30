"""Descriptions of a schema's properties: the docstrings of the fields of its type."""

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from inspect import getsource
from itertools import pairwise
from typing import Any

from msgspec import Struct, inspect

from roompulse.web.api.openapi.parts import Json


def describe(schemas: Json, types: Sequence[type]) -> None:
    """Add descriptions to the schemas of these types and of the types of their fields, by name."""
    found: dict[str, type[Struct]] = {}
    for info in inspect.multi_type_info(types):
        _find_structs(info, found)
    for name, kind in found.items():
        said = _docstrings(kind)
        for field, encoded in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True):
            if field in said:
                schema = schemas[name]["properties"][encoded]
                schemas[name]["properties"][encoded] = {"description": said[field], **schema}


def _find_structs(info: Any, found: dict[str, type[Struct]]) -> None:
    if isinstance(info, tuple):
        for one in info:
            _find_structs(one, found)
    elif isinstance(info, inspect.StructType):
        if info.cls.__name__ not in found:
            found[info.cls.__name__] = info.cls
            _find_structs(tuple(field.type for field in info.fields), found)
    elif isinstance(info, inspect.Type):
        _find_structs(tuple(getattr(info, name) for name in info.__struct_fields__), found)


def _docstrings(kind: type) -> Mapping[str, str]:
    """The descriptions of its fields, including inherited ones."""
    said: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        if issubclass(one, Struct) and one is not Struct:
            said |= _of_module(one.__module__).get(one.__name__, {})
    return said


@cache
def _of_module(name: str) -> Mapping[str, Mapping[str, str]]:
    """The docstrings of fields, by class and field."""
    classes = (node for node in ast.parse(getsource(sys.modules[name])).body if isinstance(node, ast.ClassDef))
    return {node.name: dict(_of_fields(node.body)) for node in classes}


def _of_fields(body: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, text in pairwise(body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                yield name, said.replace("None", "null")
