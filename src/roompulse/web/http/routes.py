"""The methods of routes, as Litestar's `route` asks for them."""

from litestar.enums import HttpMethod

GET: list[HttpMethod] = [HttpMethod.GET, HttpMethod.HEAD]
POST: list[HttpMethod] = [HttpMethod.POST]
