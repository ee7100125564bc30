"""The page of an error."""

from http import HTTPStatus

from roompulse.web.html.templates import Templates


class ErrorPages:
    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    def render(self, status: HTTPStatus, message: str, base: str) -> str:
        return self._templates.render("problem.html", status=status, message=message, base=base)
