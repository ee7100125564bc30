from collections.abc import Iterator
from functools import partial
from itertools import count

import pytest
from argon2 import PasswordHasher


@pytest.fixture(scope="package", autouse=True)
def cheap_hashes() -> Iterator[None]:
    """Hash passwords in a hundredth of the time. How strong the real hash is, is tested in unit/access."""
    with pytest.MonkeyPatch.context() as patch:
        cheap = partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr("roompulse.access.passwords.PasswordHasher", cheap)
        yield


_numbers = count(1)


@pytest.fixture
def room_id() -> str:
    """A room of the test's own in an application that others use too."""
    return f"own-{next(_numbers)}"
