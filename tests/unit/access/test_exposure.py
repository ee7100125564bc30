"""Where a server may listen, by the state of access control."""

from itertools import product
from typing import Any

import pytest

from roompulse.access.exposure import remarks_at_start
from roompulse.access.keys import make_key
from roompulse.access.model import KEY_KINDS, Known, Operator
from roompulse.errors import StartupError
from roompulse.settings import Settings
from tests.builders import NOW


def known(*kinds: Any, operator: bool = False) -> Known:
    made = [make_key(kind, "a program", NOW)[0] for kind in kinds]
    people = {"ada": Operator("ada", "viewer", "", NOW)} if operator else {}
    return Known({key.id: key for key in made}, people)


EVERYTHING_KNOWN = [
    known(*kinds, operator=operator)
    for kinds in [(), *((kind,) for kind in KEY_KINDS), KEY_KINDS]
    for operator in (False, True)
]


def may_start(settings: Settings, some: Known, *, reachable: bool) -> bool:
    try:
        remarks_at_start(settings, some, reachable=reachable)
    except StartupError:
        return False
    return True


@pytest.mark.parametrize(("reachable", "behind_proxy", "open_"), list(product([False, True], repeat=3)))
@pytest.mark.parametrize("some", EVERYTHING_KNOWN)
def test_elsewhere_it_starts_only_if_somebody_said_who_gets_in(
    some: Known, *, reachable: bool, behind_proxy: bool, open_: bool
) -> None:
    settings = Settings(behind_proxy=behind_proxy, open=open_)
    expected = not reachable or behind_proxy or open_ or bool(some.keys) or bool(some.operators)
    assert may_start(settings, some, reachable=reachable) == expected


def test_a_start_that_is_refused_says_the_three_ways_in_one_line() -> None:
    with pytest.raises(StartupError) as refused:
        remarks_at_start(Settings(host="0.0.0.0"), Known(), reachable=True)  # noqa: S104
    message = str(refused.value)
    for way in ("0.0.0.0", "roompulse key add", "roompulse user add", "--behind-proxy", "--open"):  # noqa: S104
        assert way in message
    assert "\n" not in message


def said(settings: Settings, some: Known, *, reachable: bool = True) -> str:
    return "\n".join(remarks_at_start(settings, some, reachable=reachable))


@pytest.mark.parametrize("some", EVERYTHING_KNOWN[1:])
def test_it_says_where_nobody_can_look_or_post(some: Known) -> None:
    kinds = {key.kind for key in some.keys.values()}
    text = said(Settings(), some)
    assert ("no one can read" in text) == (not some.operators and not kinds & {"read", "manage"})
    assert ("no client can post" in text) == (not kinds & {"ingest", "token"})


def test_open_is_said_and_nothing_else_where_all_is_well() -> None:
    assert "--open: no access control" in said(Settings(open=True), Known())
    assert said(Settings(), known("ingest", "read")) == ""
    assert said(Settings(behind_proxy=True), Known()) == ""
    assert said(Settings(), Known(), reachable=False) == ""
