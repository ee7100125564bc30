"""/erase: the form that erases the data of a room or a user."""

import logging
from typing import Any

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler

from roompulse.erasure.erasure import Erased, Erasure
from roompulse.erasure.subject import Subject
from roompulse.errors import BadRequest, Problem
from roompulse.report.ids import id_fault
from roompulse.web.http.authentication import caller_of, name_of
from roompulse.web.http.routes import FOR_MANAGERS, GET, POST, AnyRequest
from roompulse.web.pages.forms import Form, Forms
from roompulse.web.pages.layout import Layout

logger = logging.getLogger(__name__)


def erase_routes(erasure: Erasure, forms: Forms, layout: Layout) -> list[HTTPRouteHandler]:
    async def page(
        request: AnyRequest, given: Form, *, erased: Erased | None = None, problem: Problem | None = None
    ) -> Response[str]:
        context: dict[str, Any] = {"given": given, "erased": erased, "error": problem.message if problem else None}
        return await layout.answer(request, "erase.html", {}, status=problem.status if problem else 200, **context)

    @route("/erase", http_method=GET, opt=FOR_MANAGERS)
    async def get_erase(request: AnyRequest) -> Response[str]:
        return await page(request, dict(request.query_params))

    @route("/erase", http_method=POST, opt=FOR_MANAGERS)
    async def post_erase(request: AnyRequest) -> Response[str]:
        form = await forms.read(request)
        try:
            erased = await erasure.erase(_subject(form))
        except Problem as problem:
            return await page(request, form, problem=problem)
        logger.info("%s erased the data of a room or user: %d rows", name_of(caller_of(request)), erased.rows)
        return await page(request, {}, erased=erased)

    return [get_erase, post_erase]


def _subject(form: Form) -> Subject:
    """Raises BadRequest for a form that does not say what to erase."""
    room_id, user_id = form.get("room_id", "").strip() or None, form.get("user_id", "").strip() or None
    if room_id is None and user_id is None:
        raise BadRequest("name a room, a user, or both")
    for name, given in (("room ID", room_id), ("user ID", user_id)):
        if given is not None and (fault := id_fault(given)):
            raise BadRequest(f"{name}: {fault}")
    if form.get("sure") != "yes":
        raise BadRequest("confirm the erasure")
    return Subject(room_id, user_id)
