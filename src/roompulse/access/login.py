"""Signing in: the name and password of an operator for the secret of a session."""

import logging

from roompulse.access.model import Operator
from roompulse.access.operators import find_operator, folded
from roompulse.access.passwords import Passwords
from roompulse.access.registry import AccessRegistry
from roompulse.access.sessions import OperatorSessions
from roompulse.access.store import AccessStore
from roompulse.access.throttle import Throttle
from roompulse.errors import Unauthorized

logger = logging.getLogger(__name__)


class Login:
    """Signs in operators by name and password."""

    def __init__(
        self,
        registry: AccessRegistry,
        store: AccessStore,
        sessions: OperatorSessions,
        throttle: Throttle,
        passwords: Passwords,
    ) -> None:
        self._registry = registry
        self._store = store
        self._sessions = sessions
        self._throttle = throttle
        self._passwords = passwords

    async def sign_in(self, name: str, password: str, address: str, old_secret: str | None) -> str:
        """The secret of a new session, which replaces the one whose secret the browser has sent.

        Raises:
            Unauthorized: the name or the password is wrong; neither the message nor the time it takes depends on which.
            TooManyRequests: too many failed attempts.
            Unavailable: too many passwords are being checked at once.

        """
        name_key = folded(name)
        with self._passwords.place():
            await self._throttle.attempt(name_key, address)
            operator = find_operator(self._registry.known, name)
            is_right = await self._passwords.matches(operator.password_hash if operator else None, password)
        if operator is None or not is_right:
            # An unknown name is not logged: it may be a password typed into the wrong field.
            known = repr(operator.name) if operator else "an unknown name"
            logger.warning("%s from %s could not sign in", known, address)
            raise Unauthorized("wrong name or password")
        await self._throttle.succeeded(name_key, address)
        await self._update_hash(operator, password)
        logger.info("%r signed in from %s", operator.name, address)
        return await self._sessions.begin(operator.name, old_secret)

    async def _update_hash(self, operator: Operator, password: str) -> None:
        if self._passwords.is_outdated(operator.password_hash):
            await self._store.change_operator(operator.name, password_hash=await self._passwords.hash(password))
