"""What `tests/signatures.py` remembers is what Litestar would work out again."""

from pathlib import Path

from litestar.routes import HTTPRoute

from roompulse.app import create_app
from roompulse.settings import Settings
from tests.signatures import parse


def routes_of(settings: Settings) -> list[HTTPRoute]:
    return [route for route in create_app(settings).routed.routes if isinstance(route, HTTPRoute)]


def test_handlers_of_another_application_take_what_their_own_signatures_say(tmp_path: Path) -> None:
    first = [one for route in routes_of(Settings(data=tmp_path)) for one in route.route_handlers]
    second = [one for route in routes_of(Settings(data=tmp_path, demo=True)) for one in route.route_handlers]
    remembered = {id(one.parsed_fn_signature) for one in first}
    assert sum(id(one.parsed_fn_signature) in remembered for one in second) >= len(first) > 100
    for one in second:
        assert one.parsed_fn_signature == parse(one.fn, one.resolve_signature_namespace()), one


def test_a_handler_of_two_paths_has_the_arguments_of_each(tmp_path: Path) -> None:
    for route in routes_of(Settings(data=tmp_path)):
        for one, arguments in route.route_handler_map.values():
            taken = {parameter.field_alias for parameter in arguments.expected_path_params}
            assert taken == set(route.path_parameters) & set(one.parsed_fn_signature.parameters), route.path
