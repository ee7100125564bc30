"""Operators are added, changed and removed by commands while a server runs, which follows; and survive its restart."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result
from httpx_sse import connect_sse

from roompulse.cli import main
from roompulse.settings import Settings
from roompulse.store.files import access_path
from tests.operators import PASSWORD, SAME_SITE, WRONG_PASSWORD
from tests.process import eventually
from tests.server import Server

MakeServer = Callable[..., Server]


def user(data: Path, *arguments: str, password: str | None = None) -> Result:
    """Run `roompulse user`."""
    stdin = [] if password is None else ["--password-stdin"]
    return CliRunner().invoke(main, ["user", *arguments, *stdin, "--data", str(data)], input=f"{password or ''}\n")


def done(data: Path, *arguments: str, password: str | None = None) -> str:
    run = user(data, *arguments, password=password)
    assert run.exit_code == 0, run.output
    return run.stdout


def refused(data: Path, *arguments: str, password: str | None = None) -> str:
    run = user(data, *arguments, password=password)
    assert isinstance(run.exception, SystemExit)
    assert run.stdout == ""
    return run.stderr


@contextmanager
def signed_in(server: Server, name: str, password: str = PASSWORD) -> Iterator[httpx.Client]:
    """A browser, more or less, in which an operator is signed in."""
    with server.client() as browser:
        answer = browser.post("/sign-in", data={"name": name, "password": password}, headers=SAME_SITE)
        assert answer.status_code == 303, answer.text
        yield browser


@pytest.fixture
def operated(server: Server) -> Server:
    """A running server whose operator was added while it runs, so that it requires a sign-in."""
    done(server.data, "add", "ada", password=PASSWORD)
    eventually(lambda: server.get("/").status_code == 401)
    return server


class TestCommands:
    def test_the_first_operator_is_an_admin_and_others_are_viewers(self, tmp_path: Path) -> None:
        assert done(tmp_path, "add", "ada", password=PASSWORD) == "Added ada as admin.\n"
        assert done(tmp_path, "add", "bob", password=PASSWORD) == "Added bob as viewer.\n"
        assert done(tmp_path, "add", "eve", "--role", "admin", password=PASSWORD) == "Added eve as admin.\n"
        lines = done(tmp_path, "list").splitlines()
        assert [line.split()[:2] for line in lines] == [["ada", "admin"], ["bob", "viewer"], ["eve", "admin"]]
        assert "no active sessions" in lines[0]

    def test_unless_said_otherwise(self, tmp_path: Path) -> None:
        assert "viewer" in done(tmp_path, "add", "ada", "--role", "viewer", password=PASSWORD)

    def test_what_makes_no_sense_is_refused_in_words(self, tmp_path: Path) -> None:
        done(tmp_path, "add", "ada", password=PASSWORD)
        assert "at least 10 characters" in refused(tmp_path, "add", "bob", password=PASSWORD[:9])
        assert "at most 1000 bytes" in refused(tmp_path, "add", "bob", password="x" * 1_001)
        assert "already" in refused(tmp_path, "add", "ADA", password=PASSWORD)
        assert "control characters" in refused(tmp_path, "add", "a\nb", password=PASSWORD)
        assert "--password-stdin" in refused(tmp_path, "add", "bob")
        for command in (["remove"], ["sign-out"], ["role"]):
            assert "no operator" in refused(tmp_path, *command, "bob", *(["admin"] if command == ["role"] else []))
        assert "no operator" in refused(tmp_path, "password", "bob", password=PASSWORD)
        assert "'root' is not one of" in refused(tmp_path, "role", "ada", "root")
        assert len(done(tmp_path, "list").splitlines()) == 1

    def test_the_password_is_nowhere(self, tmp_path: Path) -> None:
        said = done(tmp_path, "add", "ada", password=PASSWORD) + done(tmp_path, "list")
        stored = access_path(Settings(data=tmp_path))
        assert PASSWORD not in said
        assert PASSWORD.encode() not in stored.read_bytes()
        assert b"$argon2id$" in stored.read_bytes()
        assert stored.stat().st_mode & 0o077 == 0


class TestWhileAServerRuns:
    def test_it_follows(self, operated: Server) -> None:
        with signed_in(operated, "ada") as browser:
            assert browser.get("/access").status_code == 200
            done(operated.data, "role", "ada", "viewer")
            eventually(lambda: browser.get("/access").status_code == 403)
            assert "1 active session, last used" in done(operated.data, "list")
            done(operated.data, "sign-out", "ada")
            eventually(lambda: browser.get("/").status_code == 401)

    def test_another_password_signs_out_and_is_the_only_one(self, operated: Server) -> None:
        with signed_in(operated, "ada") as browser:
            done(operated.data, "password", "ADA", password=WRONG_PASSWORD)
            eventually(lambda: browser.get("/").status_code == 401)
        with signed_in(operated, "ada", WRONG_PASSWORD):
            data = {"name": "ada", "password": PASSWORD}
            answer = operated.request("POST", "/sign-in", data=data, headers=SAME_SITE)
            assert answer.status_code == 401

    @pytest.mark.parametrize("command", ["remove", "sign-out"])
    def test_streams_end_with_the_sign_in_and_say_so(self, operated: Server, command: str) -> None:
        done(operated.data, "add", "bob", password=PASSWORD)
        with signed_in(operated, "ada") as browser, ExitStack() as stack:
            paths = ("/stream", "/rooms/room-1/stream", "/rooms/room-1/users/u1/stream", "/report/stream/room-1")
            sources = [stack.enter_context(connect_sse(browser, "GET", path)) for path in paths]
            streams = [source.iter_sse() for source in sources]
            assert [next(events).event for events in streams] == ["ping"] * 4
            done(operated.data, command, "ada")
            assert [[event.event for event in events][-1] for events in streams] == ["signed-out"] * 4

    def test_a_stream_that_nobody_had_to_sign_in_for_ends_when_somebody_must(self, server: Server) -> None:
        with (
            server.client() as client,
            connect_sse(client, "GET", "/stream") as source,
        ):
            events = source.iter_sse()
            assert next(events).event == "ping"
            done(server.data, "add", "ada", password=PASSWORD)
            assert [event.event for event in events][-1] == "signed-out"

    def test_signing_out_ends_the_streams_of_this_browser_alone(self, operated: Server) -> None:
        with (
            signed_in(operated, "ada") as here,
            signed_in(operated, "ada") as there,
            connect_sse(here, "GET", "/stream") as mine,
            connect_sse(there, "GET", "/stream") as others,
        ):
            events, other_events = mine.iter_sse(), others.iter_sse()
            assert next(events).event == next(other_events).event == "ping"
            token = here.get("/").text.partition('name="token" value="')[2].partition('"')[0]
            assert here.post("/sign-out", data={"token": token}, headers=SAME_SITE).status_code == 303
            assert [event.event for event in events][-1] == "signed-out"
            assert there.get("/").status_code == 200
            operated.stop()
            assert [event.event for event in other_events][-1] == "bye"


def test_a_stream_ends_when_the_sign_in_expires(make_server: MakeServer) -> None:
    with make_server(SESSION_LIFETIME=3).running() as server:
        done(server.data, "add", "ada", password=PASSWORD)
        eventually(lambda: server.get("/").status_code == 401)
        with signed_in(server, "ada") as browser, connect_sse(browser, "GET", "/stream") as source:
            assert [event.event for event in source.iter_sse()][-1] == "signed-out"


def test_a_restart_signs_nobody_out(operated: Server) -> None:
    with signed_in(operated, "ada") as browser:
        operated.stop()
        operated.start()
        assert browser.get("/").status_code == 200
    log = operated.log.read_text()
    for hidden in (PASSWORD, browser.cookies["roompulse"]):
        assert hidden not in log
    assert "'ada' signed in" in log


def test_wrong_passwords_are_not_in_the_log(operated: Server) -> None:
    data = {"name": WRONG_PASSWORD, "password": WRONG_PASSWORD}
    assert operated.request("POST", "/sign-in", data=data, headers=SAME_SITE).status_code == 401
    operated.stop()
    assert "could not sign in" in operated.log.read_text()
    assert WRONG_PASSWORD not in operated.log.read_text()
