"""Operators: which names are valid, and how operators are found and added."""

from typing import TYPE_CHECKING
from unicodedata import normalize

from roompulse.access.model import Known, Operator, Role
from roompulse.errors import BadRequest, NotFound
from roompulse.report.ids import id_fault

if TYPE_CHECKING:
    from roompulse.access.store import AccessStore

MAX_OPERATORS = 500
MAX_NAME_BYTES = 256


def name_fault(name: str) -> str | None:
    """Why `name` cannot be the name of an operator, or None: it must be an id of at most MAX_NAME_BYTES."""
    if fault := id_fault(name):
        return fault
    return f"must have at most {MAX_NAME_BYTES} bytes" if len(name.encode()) > MAX_NAME_BYTES else None


def folded(name: str) -> str:
    """A form that is equal for all spellings of a name."""
    return normalize("NFKC", name).casefold()


def find_operator(known: Known, name: str) -> Operator | None:
    """The operator with this name, in any spelling."""
    wanted = folded(name)
    return next((operator for operator in known.operators.values() if folded(operator.name) == wanted), None)


async def check_new_name(store: "AccessStore", name: str) -> Known:
    """The present state, if an operator of this name can be added; raises BadRequest if not."""
    known = await store.load()
    if fault := name_fault(name):
        raise BadRequest(f"the name {fault}")
    if found := find_operator(known, name):
        raise BadRequest(f"operator {found.name!r} already exists")
    if len(known.operators) >= MAX_OPERATORS:
        raise BadRequest(f"there are {MAX_OPERATORS} operators already, the maximum")
    return known


async def add_operator(store: "AccessStore", name: str, role: Role | None, password_hash: str, now: float) -> Operator:
    """Without a role, the first operator is an admin, others are viewers. Raises BadRequest as `check_new_name`."""
    known = await check_new_name(store, name)
    operator = Operator(name, role or ("viewer" if known.operators else "admin"), password_hash, now)
    if not await store.add_operator(operator):
        raise BadRequest(f"operator {name!r} already exists")
    return operator


async def existing(store: "AccessStore", name: str) -> Operator:
    """The operator with this name, in any spelling; raises NotFound."""
    if operator := find_operator(await store.load(), name):
        return operator
    raise NotFound(f"there is no operator {name[:MAX_NAME_BYTES]!r}")
