"""The section `notice` of every page: a warning while the database cannot be written, otherwise empty."""

from msgspec.structs import replace

from roompulse.store.availability import Availability
from roompulse.web.html.templates import Templates
from roompulse.web.pages.view import PageView, Sections


class DatabaseNotice:
    def __init__(self, availability: Availability, templates: Templates) -> None:
        self._availability = availability
        self._templates = templates

    def section(self) -> Sections:
        return {"notice": self._templates.render("partials/notice.html", database=self._availability)}

    def above(self, view: PageView) -> PageView:
        """The view of a page with this section above its own."""
        return replace(view, sections=lambda: {**self.section(), **view.sections()})
