"""Keys, operators, sign-ins and shares in their database. Every method raises StoreError when that fails."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Executable, Row, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from roompulse.access.database import AccessDatabase
from roompulse.access.model import Key, Known, Operator, Share, SignIn
from roompulse.access.schema import keys, operators, shares, sign_ins
from roompulse.errors import StoreError


class AccessStore:
    def __init__(self, database: AccessDatabase) -> None:
        self._database = database

    async def load(self) -> Known:
        """Everything, in one transaction."""

        def work(connection: Connection) -> Known:
            some_keys = [Key(**_fields(row)) for row in connection.execute(select(keys))]
            people = [Operator(**_fields(row)) for row in connection.execute(select(operators))]
            browsers = [SignIn(**_fields(row)) for row in connection.execute(select(sign_ins))]
            links = [Share(**_fields(row)) for row in connection.execute(select(shares))]
            return Known(
                {key.id: key for key in some_keys},
                {operator.name: operator for operator in people},
                {sign_in.digest: sign_in for sign_in in browsers},
                {share.id: share for share in links},
            )

        return await self._database.run(work)

    async def add_key(self, key: Key) -> None:
        await self._run(insert(keys).values(_row(key)))

    async def remove_key(self, key_id: str) -> bool:
        """Whether there was one."""
        return await self._run(delete(keys).where(keys.c.id == key_id)) > 0

    async def add_share(self, share: Share, now: float) -> None:
        """Also deletes those that have expired at `now` (Unix seconds)."""

        def work(connection: Connection) -> None:
            connection.execute(delete(shares).where(shares.c.expires_at <= round(now * 1000)))
            connection.execute(insert(shares).values(_row(share)))

        await self._database.run(work)

    async def remove_share(self, *share_ids: str) -> bool:
        """Whether there was one."""
        return await self._run(delete(shares).where(shares.c.id.in_(share_ids))) > 0

    async def add_operator(self, operator: Operator) -> bool:
        """Whether the name was free."""
        try:
            await self._run(insert(operators).values(_row(operator)))
        except StoreError as error:
            if isinstance(error.__cause__, IntegrityError):
                return False
            raise
        return True

    async def change_operator(self, name: str, *, keep_an_admin: bool = False, **values: str) -> bool:
        """Set `role` or `password_hash`; whether that was done.

        It is not done for an unknown operator and, with `keep_an_admin`, for the last admin.
        """
        return await self._run(update(operators).where(*_operator(name, keep_an_admin)).values(**values)) > 0

    async def remove_operator(self, name: str, *, keep_an_admin: bool = False) -> bool:
        """Remove an operator and its sign-ins; whether that was done, as in `change_operator`."""
        return await self._run(delete(operators).where(*_operator(name, keep_an_admin))) > 0

    async def begin(self, sign_in: SignIn) -> None:
        await self._run(insert(sign_ins).values(_row(sign_in)))

    async def used(self, used: Iterable[tuple[bytes, float]]) -> None:
        """Save the time of last use of these sign-ins, by digest."""

        def work(connection: Connection) -> None:
            for digest, at in used:
                statement = update(sign_ins).where(sign_ins.c.digest == digest)
                connection.execute(statement.values(used_at=round(at * 1000)))

        await self._database.run(work)

    async def end(self, *digests: bytes) -> None:
        await self._run(delete(sign_ins).where(sign_ins.c.digest.in_(digests)))

    async def end_all(self, operator: str) -> None:
        """Sign an operator out everywhere."""
        await self._run(delete(sign_ins).where(sign_ins.c.operator == operator))

    async def _run(self, statement: Executable) -> int:
        return await self._database.run(lambda connection: connection.execute(statement).rowcount)


def _operator(name: str, keep_an_admin: bool) -> list[ColumnElement[bool]]:  # noqa: FBT001  (private)
    here = operators.c.name == name
    if not keep_an_admin:
        return [here]
    others = operators.alias()
    another = select(others).where(others.c.role == "admin", others.c.name != name).exists()
    return [here, or_(operators.c.role != "admin", another)]


def _fields(row: Row[Any]) -> dict[str, Any]:
    return {name: value / 1000 if name.endswith("_at") else value for name, value in row._mapping.items()}  # noqa: SLF001


def _row(item: Key | Operator | Share | SignIn) -> dict[str, Any]:
    names = item.__struct_fields__
    values = ((name, getattr(item, name)) for name in names)
    return {name: round(value * 1000) if name.endswith("_at") else value for name, value in values}
