"""All checks, in the order in which an operator would fix their findings."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from roompulse.checking import configuration, machine
from roompulse.checking.access import access
from roompulse.checking.database import database
from roompulse.checking.finding import Finding, Group, Subject, error
from roompulse.checking.folder import folder, room
from roompulse.clock import Clock
from roompulse.errors import StartupError
from roompulse.store.files import database_path, in_use, is_postgres

Listen = Callable[[str, int], AbstractContextManager[object]]


def groups(listen: Listen) -> list[Group]:
    """Every group of checks is one function in this list."""
    return [
        configuration.contradictions,
        machine.listening(listen),
        access,
        machine.open_files,
        machine.clock,
        machine.sqlite,
        folder,
        room,
        database,
    ]


def check(
    environment: Mapping[str, str], flags: Mapping[str, Any], listen: Listen, clock: Clock, *, full: bool
) -> Iterator[Finding]:
    """Run all checks; they change nothing. `listen` opens the socket that the server would open."""
    settings, findings = configuration.read(environment, flags)
    yield from findings
    if is_postgres(settings):
        yield from _run(_with_postgres(listen), Subject(settings, settings.data, serving=False, now=clock(), full=full))
        return
    try:
        path = database_path(settings)
    except StartupError as problem:
        yield error(str(problem))
        return
    yield from _run(groups(listen), Subject(settings, path, in_use(path), clock(), full))


def _with_postgres(listen: Listen) -> list[Group]:
    try:
        from roompulse.checking.postgres import postgres
    except ImportError:
        return [lambda _: iter([error("DATABASE_URL: PostgreSQL needs asyncpg: pip install 'roompulse[cluster]'")])]
    return [configuration.contradictions, machine.listening(listen), machine.open_files, machine.clock, postgres]


def _run(groups: list[Group], subject: Subject) -> Iterator[Finding]:
    for group in groups:
        try:
            yield from group(subject)
        except OSError as problem:
            yield error(f"{problem.filename} cannot be checked: {problem.strerror}")
