"""`user 1`, `user 2`, …: pseudonyms of the users of one page, also for their names in its texts."""

import re
from collections.abc import Callable, Collection, Iterable
from itertools import count

from roompulse.erasure import mentions
from roompulse.errors import NotFound

_NOBODY = "\n"
"""A text that no id equals."""

_WORD = re.compile(r"[^\W_]+")

_MAX_TEXTS = 5_000
"""A cache of hidden texts: those of a page's rows and events, which are rendered repeatedly."""


class Pseudonyms:
    """Each user has a number, in the order in which they are added; a new one gets the next.

    `key` distinguishes the pseudonyms of one page from those of others.
    """

    def __init__(self, key: str, known: Iterable[tuple[str, str | None]] = ()) -> None:
        """`known` are ids and names of users, in their order."""
        self.key = key
        self._numbers = count(1)
        self._of: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        self._terms: dict[str, str] = {}
        # A line of text is compared with thousands of them: by their lengths where a word begins.
        self._lengths: set[int] = set()
        self._wordless: list[str] = []
        self._texts: dict[str, str] = {}
        self._words: dict[str, str] = {}
        self._streams: dict[str, str] = {}
        for user_id, name in known:
            self.add(user_id, name)

    def add(self, user_id: str, name: str | None = None) -> None:
        """Give a new user the next number, and hide this name of it in texts too."""
        pseudonym = self.of(user_id)
        if name and name not in self._terms:
            self._add_term(name, pseudonym)

    def of(self, user_id: str) -> str:
        """The pseudonym of a user; a new one is added."""
        if (known := self._of.get(user_id)) is not None:
            return known
        # Pages of the past are rendered in another thread: a number taken by both is skipped, never given twice.
        pseudonym = self._of.setdefault(user_id, f"user {next(self._numbers)}")
        self._ids[pseudonym] = user_id
        self._add_term(user_id, pseudonym)
        return pseudonym

    def _add_term(self, term: str, pseudonym: str) -> None:
        if _WORD.match(term):
            self._lengths.add(len(term))
        elif term not in self._terms:
            self._wordless.append(term)
        self._terms[term] = pseudonym
        self._texts.clear()
        self._words.clear()

    def _terms_in(self, text: str) -> Collection[str]:
        """All possible mentions in a text: a mention begins at the start of a word, or with no letter or digit."""
        begins, lengths = [word.start() for word in _WORD.finditer(text)], list(self._lengths)
        parts = {text[at : at + length] for at in begins for length in lengths}
        return [*(part for part in parts if part in self._terms), *self._wordless]

    def known(self, pseudonym: str) -> str | None:
        """The user of this pseudonym; None for anything else, including ids of users."""
        return self._ids.get(pseudonym)

    def id_of(self, pseudonym: str) -> str:
        """As `known`; raises NotFound instead."""
        if (user_id := self.known(pseudonym)) is None:
            raise NotFound(f"user_id: there is no {pseudonym!r} on this page")
        return user_id

    def reporter_of(self, shown: str) -> str:
        """The reporter shown by this text: one of the users, or a media server, whose id is not hidden.

        None for one that is not shown, even if it exists: otherwise ids could be guessed.
        """
        return self._ids.get(shown) or (_NOBODY if shown in self._of else shown)

    def sentence(self, text: str) -> str:
        """A sentence of the server, with pseudonyms of the users that it names."""
        return self._hidden(text, self._texts, mentions.in_sentence)

    def words(self, text: str) -> str:
        """A text by people or SDKs, such as the name of a room."""
        return self._hidden(text, self._words, mentions.in_words)

    def _hidden(self, text: str, kept: dict[str, str], hide: Callable[..., str]) -> str:
        if (known := kept.get(text)) is not None:
            return known
        hidden = hide(text, self._terms_in(text), self._terms.__getitem__)
        if len(kept) >= _MAX_TEXTS:
            kept.clear()
        kept[text] = hidden
        return hidden

    def stream(self, stream_id: str) -> str:
        """A stream's id, which may hold that of a user."""
        hidden = self.words(stream_id)
        self._streams[hidden] = stream_id
        return hidden

    def stream_of(self, shown: str) -> str:
        """The id of the stream shown by this text; None for one that is not shown, as in `reporter_of`."""
        return self._streams.get(shown) or (shown if self.words(shown) == shown else _NOBODY)
