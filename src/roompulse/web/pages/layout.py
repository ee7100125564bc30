"""The parts of every page around its sections (head, bar, notice, account), and the stream that updates them."""

from collections.abc import Callable
from functools import partial

from litestar import Response
from markupsafe import Markup
from msgspec.structs import replace

from roompulse.access.model import Share
from roompulse.clock import Clock
from roompulse.settings import Settings
from roompulse.store.reader import Reader
from roompulse.web.html.templates import Templates
from roompulse.web.http.routes import AnyRequest
from roompulse.web.http.shared import share_of
from roompulse.web.http.urls import base_of
from roompulse.web.pages.database_notice import DatabaseNotice
from roompulse.web.pages.forms import Forms
from roompulse.web.pages.query import is_wall
from roompulse.web.pages.view import PageView, Sections
from roompulse.web.sse.events import HEARTBEAT
from roompulse.web.sse.stream import EventStream, EventStreams


class Layout:
    def __init__(
        self,
        templates: Templates,
        notice: DatabaseNotice,
        alerts: Callable[[], str],
        forms: Forms,
        streams: EventStreams,
        reader: Reader,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._reader = reader
        self._templates = templates
        self._notice = notice
        self._alerts = alerts
        self._forms = forms
        self._streams = streams
        self._clock = clock
        self._settings = settings

    async def answer(
        self,
        request: AnyRequest,
        name: str,
        sections: Sections,
        *,
        stream: str | None = None,
        at: float | None = None,
        status: int = 200,
        **context: object,
    ) -> Response[str]:
        """The page by the template `name`, whose sections `stream` keeps up to date, or which shows the time `at`.

        It is rendered off the event loop, so `context` must not change any more: it may hold hundreds of rules.
        """
        share = share_of(request.scope)
        render = partial(
            self._templates.render,
            name,
            sections={target: Markup(html) for target, html in {**self._everywhere(share), **sections}.items()},  # noqa: S704  (our partials)
            base=base_of(request.scope),
            stream=stream,
            at=at,
            shared=share,
            account=self._forms.account(request),
            form_token=self._forms.token(request),
            wall=is_wall(request.query_params),
            embed=request.query_params.get("embed") == "1",
            heartbeat=HEARTBEAT,
            snapshot_interval=self._settings.snapshot_interval,
            stale_after=self._settings.stale_after,
            now=self._clock(),
            **context,
        )
        return html_answer(await self._reader.run(render), status=status)

    def _everywhere(self, share: Share | None) -> Sections:
        """The sections that every page has; in its header, the alerts that fire, unless the page is shared."""
        return self._notice.section() if share else {**self._notice.section(), "alerts-firing": self._alerts()}

    def _whole(self, view: PageView, share: Share | None) -> PageView:
        key = (view.key, share is None)
        return replace(view, key=key, sections=lambda: {**self._everywhere(share), **view.sections()})

    async def render(self, view: PageView) -> Sections:
        """The sections of a page of the present; raises Unavailable where too many pages wait to be rendered."""
        return await self._streams.hub.render(view.sections)

    def stream(self, request: AnyRequest, *views: PageView) -> EventStream:
        """The stream of pages: all of their sections, then changed ones."""
        share = share_of(request.scope)
        return EventStream(self._streams, *[self._whole(view, share) for view in views])


def html_answer(html: str, *, status: int = 200) -> Response[str]:
    """A page, or the part of one that a script requests."""
    return Response(html, status_code=status, media_type="text/html")
