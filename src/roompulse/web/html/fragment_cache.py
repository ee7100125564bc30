"""Parts of pages that are rendered once for as long as they show the same, whoever looks at them and in what order."""

from collections.abc import Callable, Hashable

from markupsafe import Markup


class FragmentCache:
    """At most `most` of them; when there is no place for another one, all are forgotten."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._pieces: dict[Hashable, tuple[Hashable, Markup]] = {}

    def fragment(self, key: Hashable, version: Hashable, render: Callable[[], str]) -> Markup:
        """The HTML of one of our partials, which `render` makes where `version` is another one than the last time."""
        known = self._pieces.get(key)
        if known and known[0] == version:
            return known[1]
        if len(self._pieces) >= self._most:
            self._pieces.clear()
        html = Markup(render())  # noqa: S704  (our own partial)
        self._pieces[key] = version, html
        return html
