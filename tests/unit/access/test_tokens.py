"""Room tokens: which hold, and which do not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from roompulse.access import tokens as module
from roompulse.access.keys import make_key
from roompulse.access.tokens import LEEWAY, LONGEST_LIFE, MAX_TOKEN_LENGTH, Tokens, read_token, sign_token
from roompulse.errors import Unauthorized
from tests.access import part, token
from tests.builders import NOW

KEY, SHOWN = make_key("token", "a program", NOW)
KEYS = {KEY.id: KEY}
HEADER = {"alg": "HS256", "typ": "JWT", "kid": KEY.id}
CLAIMS = {"room": "room-1", "user": "u1", "exp": NOW + 600}
GOOD = token(KEY.secret, HEADER, CLAIMS)


def header(**changed: Any) -> str:
    return token(KEY.secret, {name: value for name, value in (HEADER | changed).items() if value is not None}, CLAIMS)


def claims(**changed: Any) -> str:
    return token(KEY.secret, HEADER, {name: value for name, value in (CLAIMS | changed).items() if value is not ...})


def test_a_token_by_the_standard_holds() -> None:
    read = read_token(GOOD, KEYS, NOW)
    assert (read.room, read.user, read.exp) == ("room-1", "u1", NOW + 600)


def test_a_token_of_ours_is_one_by_the_standard() -> None:
    made = sign_token(KEY, "r/ö", "u 1", NOW + 60)
    assert made == token(SHOWN.encode(), dict(sorted(HEADER.items())), {"room": "r/ö", "user": "u 1", "exp": NOW + 60})
    assert read_token(made, KEYS, NOW).room == "r/ö"


@pytest.mark.parametrize(
    "held",
    [
        claims(exp=NOW + 0.001),
        claims(exp=NOW + LONGEST_LIFE + LEEWAY),
        claims(exp=int(NOW) + 1),
        claims(nbf=NOW + LEEWAY),
        claims(iat=NOW + 10**6),  # when it was made does not matter
        claims(iat="yesterday", sub="u1", aud=["someone"], iss=5, anything=None),
        claims(room="r" * 128, user="😀" * 128),
        header(typ="application/jwt"),
        header(typ=None),
        GOOD.replace("=", ""),
    ],
)
def test_these_hold(held: str) -> None:
    read_token(held, KEYS, NOW)


OTHER, _ = make_key("token", "another", NOW)

BAD = {
    "nothing": "",
    "no token": "hello",
    "two parts": GOOD.rpartition(".")[0],
    "four parts": GOOD + ".e30",
    "no signature": GOOD.rpartition(".")[0] + ".",
    "another signature": GOOD[:-4] + "AAAA",
    "other claims": ".".join([part(HEADER), part(CLAIMS | {"room": "room-2"}), GOOD.rpartition(".")[2]]),
    "bytes that are ignored by lax decoders": GOOD[:-4] + "!!" + GOOD[-4:],
    "a line end": GOOD + "\n",
    "a blank": " " + GOOD,
    "no ASCII": GOOD + "é",
    "half a character": GOOD + "\ud800",
    "alg none": token(b"", HEADER | {"alg": "none"}, CLAIMS).rpartition(".")[0] + ".",
    "alg none, signed": header(alg="none"),
    "alg None": header(alg="None"),
    "alg RS256": header(alg="RS256"),
    "alg HS512": token(KEY.secret, HEADER | {"alg": "HS512"}, CLAIMS, "sha512"),
    "alg HS256 that is HS512": token(KEY.secret, HEADER, CLAIMS, "sha512"),
    "no alg": header(alg=None),
    "alg a list": header(alg=["HS256"]),
    "no kid": header(kid=None),
    "another kid": header(kid="k2"),
    "kid a number": header(kid=5),
    "kid a list": header(kid=[KEY.id]),
    "kid a path": header(kid="../../dev/null"),
    "signed by a stranger": token(b"x" * 32, HEADER, CLAIMS),
    "signed by another key": token(OTHER.secret, HEADER, CLAIMS),
    "signed by nothing": token(b"", HEADER, CLAIMS),
    "critical what is unknown": header(crit=["x"], x=1),
    "detached": header(b64=False, crit=["b64"]),
    "its own key": header(jwk={"kty": "oct", "k": part(b"x" * 32)}, kid=None),
    "header no object": token(KEY.secret, [HEADER], CLAIMS),
    "header nested deeply": token(KEY.secret, b"[" * 2500, CLAIMS),
    "claims nested deeply": token(KEY.secret, HEADER, b"[" * 2500),
    "claims deep in what is unknown": token(KEY.secret, HEADER, b'{"x":' + b"[" * 2500),
    "claims no JSON": token(KEY.secret, HEADER, b"{"),
    "claims no UTF-8": token(KEY.secret, HEADER, b'{"room":"\xff"}'),
    "claims no object": token(KEY.secret, HEADER, [CLAIMS]),
    "claims encrypted": GOOD + ".x.y",
    "no room": claims(room=...),
    "no user": claims(user=...),
    "no exp": claims(exp=...),
    "room a number": claims(room=5),
    "room null": claims(room=None),
    "room a list": claims(room=["room-1"]),
    "user a flag": claims(user=True),
    "room no id": claims(room="room-1\n"),
    "user no id": claims(user=""),
    "user too long": claims(user="u" * 129),
    "exp a text": claims(exp=str(NOW + 60)),
    "exp null": claims(exp=None),
    "exp a flag": claims(exp=True),
    "exp not a number": token(KEY.secret, HEADER, b'{"room":"room-1","user":"u1","exp":NaN}'),
    "exp without end": token(KEY.secret, HEADER, b'{"room":"room-1","user":"u1","exp":1e999}'),
    "exp of too many digits": token(KEY.secret, HEADER, b'{"room":"r","user":"u","exp":' + b"9" * 2000 + b"}"),
    "expired now": claims(exp=NOW),
    "expired": claims(exp=NOW - 1),
    "of 1970": claims(exp=0),
    "of milliseconds": claims(exp=1000 * NOW),
    "too far ahead": claims(exp=NOW + LONGEST_LIFE + LEEWAY + 1),
    "for ever": claims(exp=10**18),
    "not yet": claims(nbf=NOW + LEEWAY + 1),
    "nbf a text": claims(nbf="now"),
    "too long": claims(anything="x" * MAX_TOKEN_LENGTH),
    "too long by far": "x" * 10**6,
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_these_do_not_hold_and_are_not_quoted(bad: str) -> None:
    with pytest.raises(Unauthorized, match=r"\Atoken: ") as refused:
        read_token(bad, KEYS, NOW)
    assert bad == "" or bad not in refused.value.message
    assert len(refused.value.message) < 200


def test_a_token_of_the_longest_ids_is_not_too_long() -> None:
    escaped = b'"' + b"\\ud83d\\ude00" * 128 + b'"'
    held = token(KEY.secret, HEADER, b'{"room":%b,"user":%b,"exp":%d}' % (escaped, escaped, NOW + 1))
    assert len(held) > 0.9 * MAX_TOKEN_LENGTH
    assert read_token(held, KEYS, NOW).user == "😀" * 128


def test_several_keys_sign_at_a_time_so_that_one_can_follow_the_other() -> None:
    by_other = sign_token(OTHER, "room-1", "u1", NOW + 60)
    for signed in (GOOD, by_other):
        read_token(signed, KEYS | {OTHER.id: OTHER}, NOW)
    with pytest.raises(Unauthorized, match="kid"):
        read_token(by_other, KEYS, NOW)


@given(
    some.text() | some.from_regex(r"\A[\w-]*\.[\w-]*\.[\w-]*\Z") | some.binary().map(lambda raw: raw.decode("latin-1"))
)
def test_nothing_else_than_a_refusal_comes_of_nonsense(nonsense: str) -> None:
    with pytest.raises(Unauthorized):
        read_token(nonsense, KEYS, NOW)


json = some.recursive(some.none() | some.booleans() | some.integers() | some.floats() | some.text(), some.lists)


@given(
    some.dictionaries(some.sampled_from(["alg", "kid", "crit", "b64", "typ"]), json),
    some.dictionaries(some.text(), json),
)
def test_nor_of_nonsense_that_is_signed(changed: dict[str, Any], payload: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        read_token(token(KEY.secret, HEADER | changed, payload), KEYS, NOW)


# A token known to be valid


def test_a_token_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Tokens()
    first = known.read(GOOD, KEYS, NOW)
    monkeypatch.setattr(module, "read_token", None)
    assert known.read(GOOD, KEYS, NOW + 599) is first


def test_a_known_token_expires() -> None:
    known = Tokens()
    known.read(GOOD, KEYS, NOW)
    for _ in range(2):
        with pytest.raises(Unauthorized, match="expired"):
            known.read(GOOD, KEYS, NOW + 600)


def test_a_known_token_ends_with_its_key() -> None:
    known = Tokens()
    known.read(GOOD, KEYS, NOW)
    with pytest.raises(Unauthorized, match="kid"):
        known.read(GOOD, {OTHER.id: OTHER}, NOW)


def test_so_many_are_known_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED", 3)
    known = Tokens()
    signed = [sign_token(KEY, "room-1", f"u{number}", NOW + 60) for number in range(10)]
    for one in signed:
        known.read(one, KEYS, NOW)
    assert len(known._read) == 3
    assert [known._read.peek(token) for token in known._read] == [read_token(token, KEYS, NOW) for token in signed[-3:]]


def test_what_does_not_hold_is_not_kept() -> None:
    known = Tokens()
    for bad in BAD.values():
        with pytest.raises(Unauthorized):
            known.read(bad, KEYS, NOW)
    assert len(known._read) == 0


def test_a_bucket_is_of_user_and_room() -> None:
    buckets = {read_token(claims(room=room, user=user), KEYS, NOW).bucket for room in ("a", "b") for user in ("a", "b")}
    assert len(buckets) == 4
    assert read_token(claims(exp=NOW + 5), KEYS, NOW).bucket == read_token(GOOD, KEYS, NOW).bucket
    assert all(bucket.isalnum() for bucket in buckets), "no address is"
