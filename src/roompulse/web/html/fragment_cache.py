"""Parts of pages that are rendered once per version, for all viewers and all orders of a list."""

from collections.abc import Callable, Hashable

from markupsafe import Markup

from roompulse.bounded import BoundedMap


class FragmentCache:
    """Holds at most `bound` fragments; the least recently used one is rendered again when it is needed."""

    def __init__(self, bound: int) -> None:
        self._fragments: BoundedMap[Hashable, tuple[Hashable, Markup]] = BoundedMap(bound)

    def fragment(self, key: Hashable, version: Hashable, render: Callable[[], str]) -> Markup:
        """The HTML of a partial; `render` makes it where `version` differs from the cached one."""
        known = self._fragments.get(key)
        if known and known[0] == version:
            return known[1]
        html = Markup(render())  # noqa: S704  (our own partial)
        self._fragments.put(key, (version, html))
        return html
