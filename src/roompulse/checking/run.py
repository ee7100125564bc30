"""All checks, in the order in which an operator would fix what they find."""

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
from roompulse.store.files import database_path, in_use

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
    try:
        path = database_path(settings)
    except StartupError as problem:
        yield error(str(problem))
        return
    subject = Subject(settings, path, in_use(path), clock(), full)
    for group in groups(listen):
        try:
            yield from group(subject)
        except OSError as problem:
            yield error(f"{problem.filename} cannot be checked: {problem.strerror}")
