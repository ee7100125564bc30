"""The parts that accept, store and show reports: built, wired and run here."""

from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from roompulse.access.registry import AccessRegistry
from roompulse.access.sessions import OperatorSessions
from roompulse.access.shares import Shares
from roompulse.access.store import AccessStore
from roompulse.alerts.incident import Change
from roompulse.alerts.metrics import Readings
from roompulse.alerts.preview import Previews
from roompulse.alerts.service import AlertService
from roompulse.alerts.shared_values import Values
from roompulse.calls.recorder import CallRecorder
from roompulse.calls.reports import CallReports
from roompulse.calls.store import SqlCalls
from roompulse.clock import WallClock
from roompulse.engines import engine_of
from roompulse.erasure.subject import Subject
from roompulse.events.detector import Detector
from roompulse.events.model import Shown
from roompulse.events.timeline import Timeline
from roompulse.follower import Follower
from roompulse.hub.local import LocalHub
from roompulse.ingest.ingest import Ingest, look_after, taking
from roompulse.insights.mentions import erase_mentions
from roompulse.insights.recorder import RollupRecorder
from roompulse.insights.store import SqlRollups
from roompulse.intake.intake import Intake
from roompulse.meters import Meters
from roompulse.notify.calls import EndedCalls
from roompulse.notify.channels import Channels
from roompulse.notify.courier import Courier
from roompulse.notify.senders import all_senders
from roompulse.notify.store import Outbox
from roompulse.other_workers import Forget, Message, OtherWorkers, Reread, SharedIntake
from roompulse.periodic import Attempts, background
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.trends import Trends
from roompulse.settings import Settings
from roompulse.store.availability import Availability
from roompulse.store.events import SqlEvents
from roompulse.store.reader import Reader
from roompulse.store.replay import Replay
from roompulse.store.retention import Retention
from roompulse.store.samples import SqlSamples
from roompulse.store.schema import MINUTE
from roompulse.store.sessions import SessionRecorder, SqlSessions
from roompulse.store.snapshots import Snapshots, refill
from roompulse.web.http.authentication import Authenticator
from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.http.session_cookie import SessionCookie
from roompulse.web.sse.events import slowdown_frames
from roompulse.web.sse.stream import EventStreams


class Core:
    """The parts that accept, store and show reports, independent of HTTP."""

    def __init__(self, settings: Settings, clock: WallClock) -> None:
        self.settings = settings
        self.clock = clock
        self.engine = engine_of(settings, clock)
        self.database, self.store = self.engine.database, self.engine.store
        self.rooms = no_rooms(settings)
        self.meters = Meters()
        clock.on_jump(lambda _jump, _now: self.meters.clock_jumps.inc())
        self.hub = LocalHub(
            settings.push_interval, settings.max_viewers, settings.max_views, self.meters, slowdown_frames
        )
        refresh = partial(self.hub.refresh, everywhere=True)
        self.health = Availability(self.database, self.meters, clock, refresh)
        self.reader = Reader(
            settings.max_reads,
            self.health.read_failed,
            is_closing=lambda: self.hub.closed,
            is_busy=lambda: self.ingest.waiting > 0,
        )
        self.retention = Retention(self.store, self.store, clock, refresh, settings)
        self.events = SqlEvents(self.database, self.reader)
        self.timeline = self._timeline()
        self._follow_and_take()
        self.trends = Trends(settings.snapshot_interval, settings.max_rooms)
        self.rollups = SqlRollups(self.database)
        self.recorder = RollupRecorder(
            self.rooms, self.rollups, self.reader, self.ingest.intake.rate, clock, self.hub.refresh
        )
        self._record_calls_and_alerts()
        archive = SqlSamples(self.database)
        self.past = Replay(archive, self.store, partial(no_rooms, settings), settings)
        self.previews = Previews(archive, self.reader, partial(no_rooms, settings), settings)
        self._control_access()
        changed = self.registry.reload, self.channels.load, self.alerts.refresh
        self.others = OtherWorkers(
            self.engine,
            self.follower,
            self.health,
            changed,
            self._heard,
            refresh,
            clock,
            is_watched=lambda: self.hub.viewers > 0,
        )
        self.streams = EventStreams(self.hub, self.peers, self.registry, self.meters, settings, clock)

    def _follow_and_take(self) -> None:
        settings, clock = self.settings, self.clock
        intake = Intake(self.meters, clock)
        self.noticed = SharedIntake(self.engine, intake)
        self.follower = Follower(
            self.engine.log,
            self.health,
            self.rooms,
            self.hub,
            intake,
            self.timeline,
            clock,
            others_within=settings.commit_timeout if self.engine.is_shared else None,
        )
        self.ingest = Ingest(
            self.engine.log,
            self.health,
            self.rooms,
            self.follower,
            self.meters,
            clock,
            max_queue=settings.max_queue,
            commit_timeout=settings.commit_timeout,
        )

    def _timeline(self) -> Timeline:
        detector = Detector(self.rooms, self.settings.event_hold, self.settings.stale_after)
        timeline = Timeline(
            detector,
            self.events,
            self.hub.publish,
            self.clock,
            is_the_one=lambda: self.engine.is_the_one,
            tell=lambda shown: self.others.tell(shown),
        )
        self.clock.on_jump(lambda jump, _now: timeline.shift(jump))
        return timeline

    def _record_calls_and_alerts(self) -> None:
        settings, clock = self.settings, self.clock
        self.calls = SqlCalls(self.database)
        self.call_reports = CallReports(self.calls, self.store, self.timeline, self.reader, clock)
        ended_calls = EndedCalls(self.call_reports, clock)
        self.sessions = SqlSessions(self.database, ended_calls.put)
        self.alerts = AlertService(
            self.database,
            self.reader,
            self.rooms,
            self._readings,
            clock,
            self._alerted,
            lambda values: self.others.tell(values),
            settings,
            self.engine.exclusive,
        )
        self.outbox = Outbox(self.database)
        self.channels = Channels(self.outbox, clock)
        senders = all_senders(settings, clock, ended_calls.report)
        self.courier = Courier(self.outbox, self.channels, senders, clock, self.meters.delivery)

    def _control_access(self) -> None:
        self.access_store = AccessStore(self.engine.access)
        self.registry = AccessRegistry(self.settings, self.access_store, self.clock)
        self.shares = Shares(self.registry, self.access_store, self.clock)
        self.sign_ins = OperatorSessions(self.registry, self.access_store, self.clock, self.settings)
        self.peers = ClientAddresses(self.settings)
        self.cookie = SessionCookie(self.peers, self.settings.session_lifetime)
        self.authenticator = Authenticator(self.registry, self.cookie, self.peers, self.settings)

    async def _alerted(self, changes: Sequence[Change]) -> None:
        self.courier.wake()
        self.hub.refresh(everywhere=True)
        for change in changes:
            if told := change.event:
                await self.others.everywhere(Shown(*told))

    async def _heard(self, message: Message) -> None:
        match message:
            case Shown():
                self.timeline.told(message)
            case Forget(subject):
                self.recorder.forget(subject)
                await self.alerts.forget(subject)
                await self.timeline.save_all()
            case Values():
                self.alerts.values.heard(message)
            case Reread():
                self.timeline.forget()
                self.hub.refresh(everywhere=True)

    async def forget(self, subject: Subject) -> int:
        """Drop its data in memory and in access control; returns how many rows that were."""
        await self.others.everywhere(Forget(subject))
        await self.others.until_heard()
        await erase_mentions(self.database, subject)
        return await self.shares.remove_about(subject.room_id, subject.user_id)

    def _readings(self) -> Readings:
        self.follower.expire()
        intake, now = self.ingest.intake, self.clock()
        return Readings(intake.newest, intake.rate(now), intake.refused_shares(now), self.ingest.commit_ms)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Raises StartupError for a database that cannot be used."""
        async with self.database.open(), self.engine.access.open():
            with self.database.startup_errors():
                await self.engine.join()
            with self.engine.access.startup_errors():
                await self.registry.reload()
            with self.database.startup_errors():
                # Before the rooms: what other workers find meanwhile would be missing in these, and seem to be gone.
                states = await self.events.states(await self.sessions.unfinished())
                await self.follower.rebuild(self.settings.leave_after)
                self.timeline.resume(states)
                await self.channels.load()
                await self.alerts.load()
                await self._refill()
                await self.noticed.share()
            self.database.read_failed = self.health.read_failed
            with self.reader.running():
                with self.database.startup_errors():
                    # With other workers, one of them may be about to save the newest minute.
                    await self.recorder.load(None if self.engine.is_shared else self.ingest.intake.newest)
                async with background(*self._jobs()), taking(self.ingest, self.hub):
                    yield
                await self.timeline.close()
                await self.recorder.close()
            await self.engine.close()

    async def _refill(self) -> None:
        trends = Trends(self.settings.snapshot_interval, self.settings.max_rooms)
        await refill(trends, self.store, self.clock(), self.settings.leave_after)
        self.trends.become(trends)

    async def _reload_insights(self) -> None:
        await self.recorder.load(None)

    def _jobs(self) -> list[Coroutine[Any, Any, None]]:
        return [
            look_after(self.ingest, self.follower),
            self.follower.work_ahead(),
            self.health.run(),
            self.timeline.run(),
            self.engine.keep_time(),
            self.retention.watch(),
            self.engine.run_once(self._jobs_of_one),
            self.others.look(),
            self.noticed.run(),
            self.others.follow(self.settings.snapshot_interval, self._refill),
            self.others.follow(MINUTE, self._reload_insights),
            self.registry.run(),
            self.sign_ins.run(),
            self.meters.watch_loop(),
            self.streams.close_with_server(),
        ]

    async def _catch_up(self) -> None:
        await self.health.check()  # Perhaps the database has failed until now; then the log is not read.
        await self.follower.present()

    async def _jobs_of_one(self) -> list[Coroutine[Any, Any, None]]:
        """The jobs that run in only one of the processes that use the database."""
        # Rooms and users that the previous process has recorded are not gone, but perhaps not read yet.
        await Attempts(self._catch_up, "the log could not be read")()
        store, clock, interval = self.store, self.clock, self.settings.snapshot_interval
        return [
            Snapshots(store, self.rooms, self.trends, clock, interval).run(),
            self.recorder.run(),
            SessionRecorder(self.sessions, self.rooms, clock).run(),
            CallRecorder(self.calls, self.rooms, clock).run(),
            self.retention.run(),
            self.alerts.run(),
            self.alerts.run_pruning(),
            self.courier.run(),
        ]


def no_rooms(settings: Settings) -> RoomsInMemory:
    is_limited = settings.sender_rate > 0
    limits = Limits(
        rooms=settings.max_rooms,
        room_users=settings.max_room_users,
        user_streams=settings.max_user_streams,
        reported_users=settings.max_reported_users,
        sender_rooms=settings.sender_rooms if is_limited else None,
        sender_users=settings.sender_users if is_limited else None,
    )
    return RoomsInMemory(limits, stale_after=settings.stale_after, leave_after=settings.leave_after)
