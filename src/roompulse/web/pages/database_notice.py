"""The section `notice` of every page: while the database cannot be written, or the clock is in doubt; else empty."""

from roompulse.store.availability import Availability
from roompulse.store.retention import Retention
from roompulse.web.html.templates import Templates
from roompulse.web.pages.view import Sections


class DatabaseNotice:
    def __init__(self, availability: Availability, retention: Retention, templates: Templates) -> None:
        self._availability = availability
        self._retention = retention
        self._templates = templates

    def section(self) -> Sections:
        context = {"database": self._availability, "doubt": self._retention.doubt}
        return {"notice": self._templates.render("partials/notice.html", **context)}
