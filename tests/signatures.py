"""What Litestar works out of the signatures of handlers, once in a process and not again for each application.

Each application has handlers of its own, but these are closures of the same functions, with the same parameters.
"""

from typing import Any

from litestar._kwargs import KwargsModel
from litestar._signature import SignatureModel
from litestar.utils.signature import ParsedSignature

parse = ParsedSignature.from_fn
_model, _arguments = SignatureModel.create, KwargsModel.create_for_signature_model

_parsed: dict[Any, ParsedSignature] = {}
_models: dict[Any, type[SignatureModel]] = {}
_known: dict[Any, KwargsModel] = {}


def work_out_once() -> None:
    """For a test that makes an application, this is a third of the time."""
    changed = {
        (ParsedSignature, "from_fn"): _parse_once,
        (SignatureModel, "create"): _model_once,
        (KwargsModel, "create_for_signature_model"): _arguments_once,
    }
    for (owner, name), function in changed.items():
        setattr(owner, name, function)


def _parse_once(fn: Any, signature_namespace: dict[str, Any]) -> ParsedSignature:
    key = _source(fn)
    if key not in _parsed:
        _parsed[key] = parse(fn, signature_namespace)
    return _parsed[key]


def _model_once(dependency_name_set: set[str], fn: Any, **given: Any) -> type[SignatureModel]:
    key = _source(fn), frozenset(dependency_name_set)
    if key not in _models:
        _models[key] = _model(dependency_name_set, fn, **given)
    return _models[key]


def _arguments_once(signature_model: type[SignatureModel], path_parameters: set[str], **given: Any) -> KwargsModel:
    key = signature_model, frozenset(path_parameters)
    if key not in _known:
        _known[key] = _arguments(signature_model, path_parameters=path_parameters, **given)
    return _known[key]


def _source(fn: Any) -> tuple[Any, Any]:
    return fn.__code__, fn.__defaults__
