"""DELETE /report/history and /report/users: erase the data of a room or a user."""

import logging

from litestar import route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from roompulse.erasure.erasure import Erasure
from roompulse.erasure.subject import Subject
from roompulse.web.api.alerts import answered
from roompulse.web.http.authentication import caller_of, name_of
from roompulse.web.http.json_answer import JsonAnswer
from roompulse.web.http.routes import DELETE, FOR_MANAGERS, AnyRequest
from roompulse.web.http.urls import decode_id

logger = logging.getLogger(__name__)


def erasure_routes(erasure: Erasure) -> list[HTTPRouteHandler]:
    async def erase(request: AnyRequest, subject: Subject) -> JsonAnswer:
        erased = await erasure.erase(subject)
        # Without the ids: erased ids must not be in the log either.
        logger.info("%s erased the data of a room or user: %d rows", name_of(caller_of(request)), erased.rows)
        return answered(erased)

    @route("/report/history/{room_id:str}", http_method=DELETE, status_code=200, opt=FOR_MANAGERS)
    async def erase_room(request: AnyRequest, room_id: FromPath[str]) -> JsonAnswer:
        return await erase(request, Subject(decode_id("room_id", room_id), None))

    @route("/report/history/{room_id:str}/{user_id:str}", http_method=DELETE, status_code=200, opt=FOR_MANAGERS)
    async def erase_user_of_room(request: AnyRequest, room_id: FromPath[str], user_id: FromPath[str]) -> JsonAnswer:
        return await erase(request, Subject(decode_id("room_id", room_id), decode_id("user_id", user_id)))

    @route("/report/users/{user_id:str}", http_method=DELETE, status_code=200, opt=FOR_MANAGERS)
    async def erase_user(request: AnyRequest, user_id: FromPath[str]) -> JsonAnswer:
        return await erase(request, Subject(None, decode_id("user_id", user_id)))

    return [erase_room, erase_user_of_room, erase_user]
