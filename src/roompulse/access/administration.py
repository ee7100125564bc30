"""Changes by admins: operators, and the keys of programs."""

import secrets
from collections.abc import Mapping
from typing import TypeVar

from msgspec import Struct

from roompulse.access.keys import NotAdded, add_key
from roompulse.access.model import KEY_KINDS, ROLES, Operator, Role
from roompulse.access.operators import add_operator, check_new_name, existing
from roompulse.access.passwords import Passwords
from roompulse.access.registry import AccessRegistry
from roompulse.access.sessions import OperatorSessions
from roompulse.access.store import AccessStore
from roompulse.clock import Clock
from roompulse.errors import BadRequest, NotFound

T = TypeVar("T")

Form = Mapping[str, str]
"""The fields of a form by name; one that is missing counts as empty."""

LAST_ADMIN = "this is the last admin: make another operator an admin first"


class OperatorRow(Struct, frozen=True):
    """An operator with the number of its active sessions and the time of their last use (Unix seconds)."""

    operator: Operator
    sessions: int
    used_at: float | None


class NewSecret(Struct, frozen=True):
    """A password or key that was just created, to be shown once; `title` says what it is for."""

    title: str
    secret: str


class Administration:
    """The changes that admins make. Each raises a Problem that says why it was not made."""

    def __init__(
        self,
        registry: AccessRegistry,
        store: AccessStore,
        sessions: OperatorSessions,
        passwords: Passwords,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._store = store
        self._sessions = sessions
        self._passwords = passwords
        self._clock = clock

    def operators(self) -> list[OperatorRow]:
        rows = []
        for operator in sorted(self._registry.known.operators.values(), key=lambda one: one.name.casefold()):
            own = [one for one in self._registry.known.sign_ins.values() if one.operator == operator.name]
            used_at = max(map(self._registry.used_at, own), default=None)
            active = sum(self._registry.sign_in(one.digest) is not None for one in own)
            rows.append(OperatorRow(operator, active, used_at))
        return rows

    async def add(self, form: Form) -> NewSecret:
        """Add an operator with a generated password: an admin would choose a weaker one."""
        name = form.get("name", "").strip()
        await check_new_name(self._store, name)
        password = secrets.token_urlsafe(15)
        with self._passwords.place():
            password_hash = await self._passwords.hash(password)
        await add_operator(self._store, name, _role(form), password_hash, self._clock())
        return NewSecret(f"Password of {name}", password)

    async def change_role(self, form: Form) -> None:
        operator = await existing(self._store, form.get("name", ""))
        if not await self._store.change_operator(operator.name, keep_an_admin=True, role=_role(form)):
            raise BadRequest(LAST_ADMIN)

    async def sign_out(self, form: Form) -> None:
        operator = await existing(self._store, form.get("name", ""))
        await self._sessions.end_all(operator.name)

    async def remove(self, form: Form) -> None:
        operator = await existing(self._store, form.get("name", ""))
        if not await self._store.remove_operator(operator.name, keep_an_admin=True):
            raise BadRequest(LAST_ADMIN)

    async def add_key(self, form: Form) -> NewSecret:
        kind = _one_of(KEY_KINDS, form, "kind")
        try:
            key, secret = await add_key(self._store, kind, form.get("name", "").strip(), self._clock())
        except NotAdded as error:
            raise BadRequest(str(error)) from None
        return NewSecret(f"{kind.capitalize()} key {key.name}", secret)

    async def remove_key(self, form: Form) -> None:
        if not await self._store.remove_key(form.get("id", "")):
            raise NotFound("no such key")


def _role(form: Form) -> Role:
    return _one_of(ROLES, form, "role")


def _one_of(known: tuple[T, ...], form: Form, field: str) -> T:
    for value in known:
        if form.get(field) == value:
            return value
    raise BadRequest(f"the {field} must be {' or '.join(map(str, known))}")
