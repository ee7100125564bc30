"""A database of a version that stored a row for each entry is read as before, beside the reports that came since."""

import shutil
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import create_engine

from roompulse.app import create_app
from roompulse.report.model import Connection, Device, Entry, Event, Received
from roompulse.settings import Settings
from roompulse.store.migrate import VERSIONS, migrate
from tests.api.test_past import sections
from tests.builders import NOW, received, stream
from tests.conftest import Clock, client_of
from tests.lone_entries import insert_lone_entries

pytestmark = pytest.mark.anyio

WHOLE: dict[str, Any] = {"room_name": "Stand-up", "labels": {"region": "eu"}, "events": [Event("note", 5, "mic", "x")]}
GIVEN: dict[str, Any] = {"device": Device("phone", "Android 15"), "connection": Connection("relay", "udp")}

MINUTE = f"from={NOW:.0f}&to={NOW + 60:.0f}"
PATHS = [
    "/report/metrics/room-1",
    f"/report/history/room-1/u1?{MINUTE}",
    f"/report/history/room-1/u1?{MINUTE}&about=u2",
    f"/rooms/room-1/users.json?{MINUTE}",
    f"/rooms/room-1/users.csv?{MINUTE}",
    f"/rooms/room-1?at={NOW + 31}",
    f"/rooms/room-1/users/u2?at={NOW + 31}",
    "/rooms/room-1/users/u1/visits",
    "/rooms/room-1/users/u2/visits",
]


def about(*user_ids: str) -> list[Entry]:
    sent = [stream("camera"), stream("mic", video=None)]
    return [Entry(one, sent, user_name=one.upper(), **GIVEN) for one in user_ids]


def call() -> list[Received]:
    """Reports by u1, also about u2, who does not report; and by u3, who only gives a sign of life."""
    return [
        one
        for second in range(0, 60, 5)
        for one in (
            received(NOW + second, user_id="u1", metrics=about("u1", "u2"), **WHOLE),
            received(NOW + second, user_id="u3", metrics=[]),
        )
    ]


def store_alone(path: Path, reports: list[Received], scratch: Path) -> None:
    """Make a database of the schema before a row was a report."""
    versions = shutil.copytree(VERSIONS, scratch, ignore=lambda _, names: [one for one in names if one >= "0008"])
    path.unlink(missing_ok=True)
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        migrate(connection, Path(versions))
        insert_lone_entries(connection, reports)
    engine.dispose()


async def post(client: httpx.AsyncClient, reports: list[Received], clock: Clock) -> None:
    for one in reports:
        clock.now = one.at
        answer = await client.post("/report/metrics", content=msgspec.json.encode(one.report))
        assert answer.status_code == 200


@pytest.mark.parametrize("stored", [24, 13, 1])
async def test_it_is_shown_as_if_each_row_were_a_report(
    settings: Settings, clock: Clock, stored: int, tmp_path: Path
) -> None:
    """`stored` reports are of the version before."""
    reports = call()
    older = msgspec.structs.replace(settings, data=tmp_path / "older")
    older.data.mkdir()
    store_alone(older.data / "roompulse.db", reports[:stored], tmp_path / "versions")
    seen = []
    for one, rest in ((settings, reports), (older, reports[stored:])):
        clock.now = rest[0].at if rest else NOW + 56
        async with client_of(create_app(one, clock)) as client:
            await post(client, rest, clock)
            clock.now = NOW + 56
            seen.append({path: await client.get(path) for path in PATHS})
    new, old = seen
    for path in PATHS:
        assert old[path].status_code == new[path].status_code == 200
        # The timeline of a page has events, which are not made of stored reports.
        shown = sections if "at=" in path else str
        assert shown(old[path].text) == shown(new[path].text)
    assert "camera" in new[PATHS[2]].text
