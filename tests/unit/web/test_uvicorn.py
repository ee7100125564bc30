"""A canary: web/server/ overrides and relies on members of uvicorn that are in no contract.

Where one of them changes, read web/server/ again beside the new uvicorn, and then put its new hash here.
"""

import inspect
from collections.abc import Callable
from hashlib import sha256
from textwrap import dedent
from typing import Any

import pytest
from uvicorn import Server
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from roompulse.web.server.protocol import BoundedProtocol
from roompulse.web.server.send_timeout import SlowReaderProtocol
from roompulse.web.server.serve import _Server

MEMBERS: dict[Callable[..., Any], str] = {
    HttpToolsProtocol.__init__: "a077ac93b3349259",
    HttpToolsProtocol.connection_made: "d73c844ad25bfcfa",
    HttpToolsProtocol.connection_lost: "8da12f8c453a23cd",
    HttpToolsProtocol.eof_received: "463e2d67aaf510f8",
    HttpToolsProtocol._unset_keepalive_if_required: "c8a2b3d2c6549f51",
    HttpToolsProtocol._should_upgrade: "45a4b12bb6426c83",
    HttpToolsProtocol._unsupported_upgrade_warning: "ba60994caecf7cc9",
    HttpToolsProtocol.data_received: "bcda1a3a703b0a70",
    HttpToolsProtocol.send_400_response: "a88484e887ea71f3",
    HttpToolsProtocol.on_message_begin: "63ad5f079208050c",
    HttpToolsProtocol.on_url: "381560766601b143",
    HttpToolsProtocol.on_header: "d03da8715673dc16",
    HttpToolsProtocol.on_headers_complete: "6772226e7ee67494",
    HttpToolsProtocol._start_asgi_task: "12eb2eaccdc7374b",
    HttpToolsProtocol.on_body: "cb19be4e444c6f92",
    HttpToolsProtocol.on_message_complete: "2d1dcb5c69d3d12a",
    HttpToolsProtocol.on_response_complete: "1abbb9a92553c50a",
    HttpToolsProtocol.shutdown: "4372fe9ca7a194c2",
    HttpToolsProtocol.pause_writing: "a3b3f38f0844f42a",
    HttpToolsProtocol.resume_writing: "4f7f57923e12709e",
    HttpToolsProtocol.timeout_keep_alive_handler: "c0df9496ee68fbfb",
    RequestResponseCycle.__init__: "32710e0b55e50efb",
    RequestResponseCycle.run_asgi: "5ceeb358d59b644b",
    RequestResponseCycle.send: "2b5004285fd39ac0",
    RequestResponseCycle.receive: "232cf97b111ee107",
    FlowControl.__init__: "64e2f516ad5e4eab",
    FlowControl.drain: "52b74ecb10c6dd5e",
    FlowControl.pause_reading: "ad0b8b78885c902c",
    FlowControl.resume_reading: "73272cfeeda7aa3b",
    FlowControl.pause_writing: "107801c9be493933",
    FlowControl.resume_writing: "36956000096e73a4",
    Server.__init__: "5d8eab9790803aae",
    Server.serve: "a38b01a152616d93",
    Server._serve: "395d77b377e03a0a",
    Server.startup: "98a3128e7b4b5f37",
    Server.shutdown: "f87c510210310560",
    Server._wait_tasks_to_complete: "c7732fc6d9e0034f",
    Server.capture_signals: "c97419d73270b99b",
}
"""The members overridden, copied or relied on, with the hashes of their source in uvicorn 0.54."""


def hash_of(member: Callable[..., Any]) -> str:
    """Of its source, without blank lines."""
    lines = [line.rstrip() for line in dedent(inspect.getsource(member)).splitlines() if line.strip()]
    return sha256("\n".join(lines).encode()).hexdigest()[:16]


def overridden(ours: type) -> set[str]:
    """The members of a class that a uvicorn base class has too."""
    theirs = [base for base in ours.__mro__ if base.__module__.startswith("uvicorn.")]
    names = {name for name, value in vars(ours).items() if inspect.isfunction(value)}
    return {name for base in theirs for name in names & set(vars(base))}


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.__qualname__)
def test_uvicorn_is_the_one_that_was_read(member: Callable[..., Any]) -> None:
    assert hash_of(member) == MEMBERS[member], f"uvicorn's {member.__qualname__} changed: read web/server/ again"


@pytest.mark.parametrize("ours", [BoundedProtocol, SlowReaderProtocol, _Server])
def test_everything_that_is_overridden_is_in_the_table(ours: type) -> None:
    known = {member.__name__ for member in MEMBERS}
    assert overridden(ours) - known == set()
