"""Accepted passwords, and their stored hashes."""

from contextlib import ExitStack

import pytest
from argon2 import PasswordHasher, Type, extract_parameters

from roompulse.access.operators import MAX_NAME_BYTES, name_fault
from roompulse.access.passwords import AT_ONCE, MAX_WAITING, Passwords, password_fault
from roompulse.errors import Unavailable
from roompulse.web.pages.forms import MAX_FORM
from tests.operators import PASSWORD, password_hash


@pytest.mark.parametrize("password", ["ten-chars!", "pässwörter", "x" * 1_000, "ä" * 500, "          "])
def test_a_password_has_ten_characters_to_a_thousand_bytes(password: str) -> None:
    assert password_fault(password) is None


@pytest.mark.parametrize("password", ["", "nine-char", "x" * 1_001, "ä" * 501])
def test_shorter_and_longer_ones_are_refused(password: str) -> None:
    assert password_fault(password)


def test_a_form_has_room_for_the_longest_name_and_password() -> None:
    name, password = "😀" * (MAX_NAME_BYTES // 4), "😀" * 250
    assert name_fault(name) is password_fault(password) is None
    assert 3 * (len(name.encode()) + len(password.encode())) + len("name=&password=") <= MAX_FORM


@pytest.mark.parametrize("name", ["", " ada", "a\nb", "..", "\u202eada", "x" * 129, "😀" * 65])
def test_a_name_is_an_id_that_is_not_long(name: str) -> None:
    assert name_fault(name)


async def test_the_hash_is_argon2id_and_of_this_password_alone() -> None:
    passwords = Passwords()
    first, second = await passwords.hash(PASSWORD), await passwords.hash(PASSWORD)
    assert first != second
    assert extract_parameters(first).type is Type.ID
    assert PASSWORD not in first
    assert await passwords.matches(first, PASSWORD)
    assert not await passwords.matches(first, PASSWORD.upper())


async def test_a_password_is_the_same_however_the_keyboard_writes_it() -> None:
    passwords = Passwords()
    assert await passwords.matches(await passwords.hash("caf\u00e9 au lait"), "cafe\u0301 au lait")


async def test_without_a_hash_there_is_as_much_work_and_no_match() -> None:
    passwords = Passwords()
    nobodys, somebodys = extract_parameters(passwords._unmatchable), extract_parameters(password_hash())
    assert nobodys == somebodys
    for password in ("", PASSWORD, "A" * 43):
        assert not await passwords.matches(None, password)


@pytest.mark.parametrize("broken", ["", "plain", "$argon2id$v=19$m=65536,t=3,p=4$AAAA"])
async def test_a_hash_that_is_none_matches_nothing(broken: str) -> None:
    assert not await Passwords().matches(broken or "x", "x")


async def test_a_hash_of_other_parameters_is_outdated() -> None:
    passwords = Passwords()
    assert passwords.is_outdated(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD))
    assert not passwords.is_outdated(password_hash())


async def test_so_many_wait_and_one_more_is_told_to_come_back() -> None:
    passwords = Passwords()
    with ExitStack() as stack:
        for _ in range(AT_ONCE + MAX_WAITING):
            stack.enter_context(passwords.place())
        with pytest.raises(Unavailable) as refused, passwords.place():
            pass
        assert refused.value.retry_after
    with passwords.place():
        pass


def test_two_are_worked_out_at_once_and_no_more() -> None:
    assert Passwords()._threads._max_workers == AT_ONCE == 2
