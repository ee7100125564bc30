"""What the query of a page's URL asks for. Nonsense asks for nothing; its stream is asked in the same words."""

from collections.abc import Mapping
from urllib.parse import urlencode

from msgspec import Struct


class UserQuery(Struct, frozen=True):
    """Which users of a room to list: those whose id contains `search`, whatever the case of its letters."""

    search: str = ""
    page: int = 1

    def matches(self, user_id: str) -> bool:
        return self.search.casefold() in user_id.casefold()

    def encoded(self, page: int | None = None) -> str:
        """What asks for this in a URL, or for another page of the same list."""
        searched = {"q": self.search} if self.search else {}
        return urlencode({**searched, "page": page or self.page})


def user_query(parameters: Mapping[str, str]) -> UserQuery:
    return UserQuery(parameters.get("q", "").strip(), page_number(parameters))


def page_number(parameters: Mapping[str, str]) -> int:
    """The page of a list; the first one where none is named."""
    text = parameters.get("page", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 and int(text) else 1
