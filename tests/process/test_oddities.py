"""Malformed, unusual or excessive HTTP against the real process."""

import json
from collections.abc import Iterator

import pytest

from roompulse.web.server import protocol as connection
from tests.builders import REFERENCE
from tests.process.raw import Answer, Raw
from tests.server import Server

HOST = b"Host: localhost\r\n"
GET = b"GET /report/rooms HTTP/1.1\r\n" + HOST
POST = b"POST /report/metrics HTTP/1.1\r\n" + HOST
LENGTH = b"Content-Length: %d\r\n" % len(REFERENCE)
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n"
END = b"\r\n"
PIECE = b"10000\r\n" + b" " * 65_536 + b"\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("oddities") / "data", {"ROOMPULSE_MAX_BODY": "100000"}).running() as server:
        yield server


@pytest.fixture(autouse=True)
def well(server: Server) -> Iterator[None]:
    """Whatever a test does, the server is well after it."""
    yield
    assert server.post(REFERENCE).status_code == 200
    assert server.get("/report/metrics/room-1").json()["data"]["users"][0]["quality"]["score"] == 4.37
    assert "Traceback" not in server.log.read_text()


def assert_envelope(answer: Answer, status: int) -> str:
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    envelope = json.loads(answer.body or b"")
    assert list(envelope) == ["code", "message", "data"]
    assert (envelope["code"], envelope["data"]) == (status, None)
    return str(envelope["message"])


NO_HTTP = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/3.0": b"GET / HTTP/3.0\r\n" + HOST + END,
    "bare line feeds": GET.replace(b"\r\n", b"\n") + b"\n",
    "a bare carriage return": GET + b"X: a\rY: b\r\n" + END,
    "a folded header": GET + b"X: a\r\n b\r\n" + END,
    "NUL in a header": GET + b"X: a\x00b\r\n" + END,
    "a name that is none": GET + b"X@(: a\r\n" + END,
    "a blank before the colon": CHUNKED.replace(b"Encoding:", b"Encoding :") + END,
    "a method that is none": b"MADE-UP / HTTP/1.1\r\n" + HOST + END,
    "a method in lower case": b"get / HTTP/1.1\r\n" + HOST + END,
    "CONNECT": b"CONNECT localhost:443 HTTP/1.1\r\n" + HOST + END,
    "a blank in the path": b"GET /a b HTTP/1.1\r\n" + HOST + END,
    "no ASCII in the path": "GET /rooms/ü HTTP/1.1\r\n".encode() + HOST + END,
    "no path": b"GET ?x HTTP/1.1\r\n" + HOST + END,
    "a URL without a path": b"GET http://localhost HTTP/1.1\r\n" + HOST + END,
    "a URL that is none": b"GET http://[ HTTP/1.1\r\n" + HOST + END,
    "a length and chunks": CHUNKED + LENGTH + END + b"0\r\n\r\n",
    "chunks and something after them": POST + b"Transfer-Encoding: chunked, gzip\r\n" + END + b"0\r\n\r\n",
    "chunks, or not": CHUNKED + b"Transfer-Encoding: identity\r\n" + END + b"0\r\n\r\n",
    "an encoding that is none": POST + b"Transfer-Encoding: xchunked\r\n" + END + b"0\r\n\r\n",
    "two lengths": POST + LENGTH + b"Content-Length: 1\r\n" + END + REFERENCE,
    "the same length twice": POST + LENGTH + LENGTH + END + REFERENCE,
    "a list of lengths": POST + b"Content-Length: 5, 5\r\n" + END + b"hello",
    "a negative length": POST + b"Content-Length: -1\r\n" + END,
    "a signed length": POST + b"Content-Length: +5\r\n" + END + b"hello",
    "an endless length": POST + b"Content-Length: " + b"9" * 30 + b"\r\n" + END,
    "no length": POST + b"Content-Length: \r\n" + END,
    "a chunk of no size": CHUNKED + END + b"zz\r\nhello\r\n0\r\n\r\n",
    "a chunk of less than nothing": CHUNKED + END + b"-5\r\nhello\r\n0\r\n\r\n",
    "a chunk of everything": CHUNKED + END + b"f" * 20 + b"\r\nhello",
    "a chunk longer than it says": CHUNKED + END + b"3\r\nhello\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("sent", NO_HTTP.values(), ids=NO_HTTP)
def test_what_is_no_http_is_answered_in_the_envelope_and_the_connection_closed(server: Server, sent: bytes) -> None:
    with Raw(server.port) as raw:
        answer = raw.send(sent).answer()
        assert "HTTP" in assert_envelope(answer, 400)
        assert answer.headers["connection"] == "close"
        assert raw.is_closed()


UNUSUAL = {
    "a whole URL": (200, GET.replace(b"GET /", b"GET http://localhost/") + END),
    "empty lines before": (200, END + END + GET + END),
    "an asterisk": (404, b"OPTIONS * HTTP/1.1\r\n" + HOST + END),
    "TRACE": (405, b"TRACE / HTTP/1.1\r\n" + HOST + END),
    "a question before the body": (200, POST + LENGTH + b"Expect: 100-continue\r\n" + END + REFERENCE),
    "a question that is none": (200, POST + LENGTH + b"Expect: 200-maybe\r\n" + END + REFERENCE),
    "chunks with extensions and trailers": (
        200,
        CHUNKED + END + b"%x;a=b\r\n%b\r\n0\r\nX: y\r\n\r\n" % (len(REFERENCE), REFERENCE),
    ),
    "a wish for WebSocket": (200, GET + b"Connection: upgrade\r\nUpgrade: websocket\r\n" + END),
    "a wish for HTTP/2": (200, GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" + END),
    "two content types": (
        415,
        POST + LENGTH + b"Content-Type: text/plain\r\nContent-Type: image/png\r\n" + END + REFERENCE,
    ),
    "HTTP/0.9": (400, b"GET /report/rooms\r\n" + END),
    "no host": (400, b"GET /report/rooms HTTP/1.1\r\n" + END),
    "no host in HTTP/1.0": (200, b"GET /report/rooms HTTP/1.0\r\n" + END),
    "two hosts": (400, GET + HOST + END),
    "another host": (400, b"GET /report/rooms HTTP/1.1\r\nHost: evil.example\r\n" + END),
    "headers without sense": (
        200,
        GET + b'Accept: ;;q=\xff,,/\r\nCookie: a=\xff; ;=;\r\nRange: bytes=-\r\nIf-None-Match: \xff"\r\n'
        b"Accept-Encoding: gzip;q=\xff\r\nX-Forwarded-For: \xff,,\r\nAuthorization: \xff\r\nOrigin: \xff\r\n" + END,
    ),
    "a form that is none": (
        200,
        GET + b"Content-Type: multipart/form-data; boundary=\xff\r\nContent-Length: 1\r\n\r\nx",
    ),
}


@pytest.mark.parametrize(("status", "sent"), UNUSUAL.values(), ids=UNUSUAL)
def test_what_is_unusual_is_answered_as_it_deserves(server: Server, status: int, sent: bytes) -> None:
    with Raw(server.port) as raw:
        answer = raw.send(sent).answer()
        assert answer.status == status, answer
        if status >= 400 and b"/report/" in sent:
            assert_envelope(answer, status)


TOO_LONG = {
    "ten thousand headers": GET + b"".join(b"X-%d: y\r\n" % number for number in range(10_000)) + END,
    "a long header": GET + b"X: " + b"y" * connection.MAX_HEAD + b"\r\n" + END,
    "a header without end": GET + b"X: " + b"y" * 10 * connection.MAX_HEAD,
    "a path without end": b"GET /" + b"y" * 10 * connection.MAX_HEAD,
    "headers without end": GET + b"X: y\r\n" * connection.MAX_HEAD,
}


@pytest.mark.parametrize("sent", TOO_LONG.values(), ids=TOO_LONG)
def test_a_head_that_is_too_long_is_refused_before_it_is_whole(server: Server, sent: bytes) -> None:
    with Raw(server.port) as raw:
        assert str(connection.MAX_HEAD) in assert_envelope(raw.send(sent).answer(), 431)
        assert raw.is_closed()


def test_a_head_that_is_not_too_long_is_taken(server: Server) -> None:
    with Raw(server.port) as raw:
        for _ in range(3):
            assert raw.send(GET + b"X: " + b"y" * (connection.MAX_HEAD - 100) + b"\r\n" + END).answer().status == 200
            assert raw.send(POST + LENGTH + END + REFERENCE).answer().status == 200


def test_reports_in_many_pieces_are_no_long_heads(server: Server) -> None:
    with Raw(server.port) as raw:
        for _ in range(3):
            raw.send(POST + b"Content-Length: 90000\r\n" + END + b" " * 50_000).send(b" " * 40_000)
            assert_envelope(raw.answer(), 400)


@pytest.mark.parametrize(
    "sent",
    [
        POST + b"Content-Length: 900000000\r\n" + END,
        POST + b"Content-Length: 900000000\r\nExpect: 100-continue\r\n" + END,
        CHUNKED + END + 2 * PIECE,
    ],
)
def test_a_body_that_is_too_large_is_refused_early_and_its_rest_not_read_for_ever(server: Server, sent: bytes) -> None:
    with Raw(server.port) as raw:
        assert "100000" in assert_envelope(raw.send(sent).answer(), 413)
        assert raw.is_closed_while_sending(PIECE)


def test_a_body_that_is_not_much_too_large_leaves_the_connection_usable(server: Server) -> None:
    with Raw(server.port) as raw:
        assert_envelope(raw.send(POST + b"Content-Length: 300000\r\n" + END + b" " * 300_000).answer(), 413)
        assert raw.send(GET + END).answer().status == 200


def test_a_body_that_nobody_asked_for_is_not_read_for_ever(server: Server) -> None:
    with Raw(server.port) as raw:
        assert raw.send(GET + b"Content-Length: 900000000\r\n" + END).answer().status == 200
        assert raw.is_closed()


def test_a_body_longer_than_it_says_is_no_second_report(server: Server) -> None:
    with Raw(server.port) as raw:
        assert_envelope(raw.send(POST + b"Content-Length: 10\r\n" + END + REFERENCE).answer(), 400)
        assert raw.is_closed()


def test_a_body_shorter_than_it_says_is_no_report(server: Server) -> None:
    sent = REFERENCE.replace(b"room-1", b"room-short")
    with Raw(server.port) as raw:
        raw.send(POST + b"Content-Length: 100000\r\n" + END + sent)
    assert "room-short" not in server.get("/report/rooms").json()["data"]


def test_pipelined_requests_are_answered_in_turn(server: Server) -> None:
    with Raw(server.port) as raw:
        raw.send((GET + END) * connection.MAX_PIPELINED)
        assert [raw.answer().status for _ in range(connection.MAX_PIPELINED)] == [200] * connection.MAX_PIPELINED
        assert raw.send(GET + END).answer().status == 200


def test_too_many_pipelined_requests_are_not_kept(server: Server) -> None:
    with Raw(server.port) as raw:
        raw.send((GET + END) * 1000)
        assert [raw.answer().status for _ in range(1 + connection.MAX_PIPELINED)] == [200] * (
            1 + connection.MAX_PIPELINED
        )
        assert raw.is_closed()


def test_what_is_no_http_after_a_request_does_not_come_before_its_answer(server: Server) -> None:
    with Raw(server.port) as raw:
        answer = raw.send(POST + LENGTH + END + REFERENCE + b"nonsense\r\n\r\n").answer()
        assert (answer.status, json.loads(answer.body or b"")["code"]) == (200, 0)
        assert raw.is_closed()
