"""The page on which an admin says who may: operators, and the keys of programs."""

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from roompulse.access.keys import NotAdded, add_key
from roompulse.access.model import KEY_KINDS, ROLES, Operator, Role
from roompulse.access.operators import add_operator, check_new_name, existing
from roompulse.access.passwords import Passwords
from roompulse.access.registry import AccessRegistry
from roompulse.access.sessions import OperatorSessions
from roompulse.access.store import AccessStore
from roompulse.clock import Clock
from roompulse.errors import BadRequest, NotFound, Problem
from roompulse.web.http.authentication import caller_of
from roompulse.web.http.problems import AnyRequest
from roompulse.web.http.routes import FOR_ADMINS, GET, POST
from roompulse.web.pages.forms import Form, Forms
from roompulse.web.pages.layout import Layout
from roompulse.web.pages.sign_in import to

T = TypeVar("T")

logger = logging.getLogger(__name__)

LAST_ADMIN = "the last admin stays one: make somebody else an admin first"


class OperatorRow(Struct, frozen=True):
    """An operator, in how many browsers it is signed in, and when it was last seen there (Unix seconds)."""

    operator: Operator
    browsers: int
    used_at: float | None


class Shown(Struct, frozen=True):
    """A secret that is shown once: what it is for, and what it is."""

    title: str
    secret: str


class Administration:
    """What an admin may do. Each raises a Problem that says why it was not done."""

    def __init__(
        self,
        registry: AccessRegistry,
        store: AccessStore,
        sign_ins: OperatorSessions,
        passwords: Passwords,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._store = store
        self._sign_ins = sign_ins
        self._passwords = passwords
        self._clock = clock

    def operators(self) -> list[OperatorRow]:
        rows = []
        for operator in sorted(self._registry.known.operators.values(), key=lambda one: one.name.casefold()):
            mine = [one for one in self._registry.known.sign_ins.values() if one.operator == operator.name]
            used_at = max(map(self._registry.used_at, mine), default=None)
            rows.append(
                OperatorRow(operator, sum(self._registry.sign_in(one.digest) is not None for one in mine), used_at)
            )
        return rows

    async def add(self, form: Form) -> Shown:
        """With a password that is made up here, since nobody makes up better ones for others."""
        name = form.get("name", "").strip()
        await check_new_name(self._store, name)
        password = secrets.token_urlsafe(15)
        with self._passwords.place():
            password_hash = await self._passwords.hash(password)
        await add_operator(self._store, name, _role(form), password_hash, self._clock())
        return Shown(f"The password of {name}", password)

    async def change_role(self, form: Form) -> None:
        operator = await existing(self._store, form.get("name", ""))
        if not await self._store.change_operator(operator.name, keep_an_admin=True, role=_role(form)):
            raise BadRequest(LAST_ADMIN)

    async def sign_out(self, form: Form) -> None:
        operator = await existing(self._store, form.get("name", ""))
        await self._sign_ins.end_all(operator.name)

    async def remove(self, form: Form) -> None:
        operator = await existing(self._store, form.get("name", ""))
        if not await self._store.remove_operator(operator.name, keep_an_admin=True):
            raise BadRequest(LAST_ADMIN)

    async def add_key(self, form: Form) -> Shown:
        kind = _one_of(KEY_KINDS, form, "kind")
        try:
            key, shown = await add_key(self._store, kind, form.get("name", "").strip(), self._clock())
        except NotAdded as error:
            raise BadRequest(str(error)) from None
        return Shown(f"The key {key.name} for {kind}", shown)

    async def remove_key(self, form: Form) -> None:
        if not await self._store.remove_key(form.get("id", "")):
            raise NotFound("there is no such key")


def _role(form: Form) -> Role:
    return _one_of(ROLES, form, "role")


def _one_of(known: tuple[T, ...], form: Form, field: str) -> T:
    for value in known:
        if form.get(field) == value:
            return value
    raise BadRequest(f"the {field} must be {' or '.join(map(str, known))}")


def access_routes(
    administration: Administration, registry: AccessRegistry, forms: Forms, layout: Layout
) -> list[HTTPRouteHandler]:
    def page(request: AnyRequest, *, shown: Shown | None = None, problem: Problem | None = None) -> Response[str]:
        context: dict[str, Any] = {
            "operators": administration.operators(),
            "keys": sorted(registry.known.keys.values(), key=lambda key: (key.kind, key.name, key.id)),
            "roles": ROLES,
            "kinds": KEY_KINDS,
            "shown": shown,
            "error": problem.message if problem else None,
        }
        return layout.answer(request, "access.html", {}, status=problem.status if problem else 200, **context)

    @route("/access", http_method=GET, opt=FOR_ADMINS)
    async def get_access(request: AnyRequest) -> Response[str]:
        return page(request)

    def action(path: str, act: Callable[[Form], Awaitable[Shown | None]]) -> HTTPRouteHandler:
        @route(f"/access/{path}", http_method=POST, opt=FOR_ADMINS)
        async def post_access(request: AnyRequest) -> Response[Any]:
            form = await forms.read(request)
            try:
                shown = await act(form)
            except Problem as problem:
                return page(request, problem=problem)
            logger.info("%r: %s %r", caller_of(request).name, path, form.get("name") or form.get("id"))
            await registry.reload()
            return page(request, shown=shown) if shown else to("/access")

        return post_access

    return [
        get_access,
        action("operators/add", administration.add),
        action("operators/role", administration.change_role),
        action("operators/sign-out", administration.sign_out),
        action("operators/remove", administration.remove),
        action("keys/add", administration.add_key),
        action("keys/remove", administration.remove_key),
    ]
