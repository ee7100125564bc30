"""What every page says while the database cannot be written: the section `notice`, empty in good times."""

from collections.abc import Mapping

from msgspec.structs import replace

from roompulse.store.availability import Availability
from roompulse.web.html.templates import Templates
from roompulse.web.pages.views import PageView


class DatabaseNotice:
    def __init__(self, health: Availability, templates: Templates) -> None:
        self._health = health
        self._templates = templates

    def section(self) -> Mapping[str, str]:
        """The section by the id of the element that holds it."""
        return {"notice": self._templates.render("partials/notice.html", failing_since=self._health.failing_since)}

    def above(self, view: PageView) -> PageView:
        """A page with this section before its own."""
        return replace(view, sections=lambda: {**self.section(), **view.sections()})
