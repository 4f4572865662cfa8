"""The daemon: makes its parts, connects them, and starts and stops them.

The module is long because its class is the only place that knows all parts.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import tzinfo
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure

from streamd.app.alerts import alert_commands
from streamd.app.defaults import is_in_memory, make_journal
from streamd.app.load import plan_sources, read_own_pages
from streamd.app.log import begin_log
from streamd.app.metrics import Exposition, metrics_site
from streamd.app.notify import Notifier
from streamd.app.pages import make_page, make_pictures
from streamd.app.ports import (
    METRICS_PORT,
    ServedCertificate,
    address_of,
    endpoint,
    listen,
    wall_address,
)
from streamd.app.process import allow_files
from streamd.app.rules import make_rules
from streamd.app.status import Status
from streamd.app.upkeep import Upkeep
from streamd.cluster.peers import Peers
from streamd.cluster.shift import Shift
from streamd.cluster.shifts import Shifts
from streamd.config.fields import ConfigError
from streamd.config.hooks import expected_of
from streamd.config.kind import Surroundings
from streamd.config.tables import Config
from streamd.core.histories.blocks import StoredBlocks
from streamd.core.printable import showable
from streamd.core.quota import Share
from streamd.core.reconfiguration import set_private, tell_configuration
from streamd.core.room import Room
from streamd.core.state import State
from streamd.core.update import Position, Update
from streamd.http.access.access import Access
from streamd.http.access.codes import Codes
from streamd.http.access.grants import Grants
from streamd.http.access.guesses import Guesses
from streamd.http.access.origins import Right
from streamd.http.access.tokens import NO_TOKENS, Tokens
from streamd.http.admin.grant_commands import GrantCommands
from streamd.http.admin.links import Links
from streamd.http.admin.pairing import Pairing
from streamd.http.admin.refusals import Refusals
from streamd.http.admin.screens import Commands
from streamd.http.admin.sign_in import Administration
from streamd.http.bodies import Packer, Unread
from streamd.http.connection_limits import ConnectionLimits
from streamd.http.handshake import SOCKET_IO
from streamd.http.publishing.hooks import Hooks
from streamd.http.publishing.influx import Influx
from streamd.http.publishing.live_publish import LivePublisher
from streamd.http.publishing.publish import Publisher
from streamd.http.rates import Rates
from streamd.http.reading.health import HealthPage
from streamd.http.reading.metrics import Metrics
from streamd.http.reading.own_pages import OwnPagesPart
from streamd.http.reading.reached import Reached
from streamd.http.reading.read import Reader
from streamd.http.request import security
from streamd.http.site import Site
from streamd.http.uploads import Uploads
from streamd.http.viewers.events import EventStreams
from streamd.http.viewers.poll import Polls
from streamd.http.viewers.socketio import SocketIo
from streamd.http.viewers.websocket import StreamFactory
from streamd.hub.hub import Hub
from streamd.hub.screens import Screens
from streamd.hub.seats import Seats
from streamd.hub.sweep import Sweep
from streamd.journals.journal import Unusable
from streamd.reactor.deadline import Deadline
from streamd.reactor.worker import Worker
from streamd.sources.feed import Feed
from streamd.sources.former import FormerSources
from streamd.sources.source import Source, SourcePlan, furnish
from streamd.wire.v1 import v1_message

STOP_WITHIN = 3.5
"""Seconds for sources and viewers to end.  The journal gets one more, so the process ends within 5."""

SPARE_CONNECTIONS = 1000
"""The most connections besides viewers: pages, publishers, and unfinished requests."""


class Streamd(MultiService):
    """The Twisted service.  :meth:`__init__` makes each part once and sets it as an attribute.

    The class is long because it is the only place that knows all parts: it connects, starts and stops
    them.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        config: Config,
        tokens: Tokens = NO_TOKENS,
        ports: Iterable[str] = (),
        base: Path = Path(),
        now: Callable[[], float] = time.time,
        notifier: Notifier | None = None,
    ) -> None:
        """:param ports: endpoint strings such as ``tcp:5000``.

        :param base: the folder from which relative paths in the configuration start.
        :param notifier: tells the service manager how the daemon is.
        """
        super().__init__()
        server = config.server
        self.reactor = reactor
        self.now = now
        self.base, self._from = base, Path.cwd()
        self._log_settings = config.log
        self.hidden = set(config.secrets)
        self.share = Share(server.address_share)
        self._ports, self._public = list(ports), server.url
        self.listening: list[IListeningPort] = []
        self._own_ports: list[IListeningPort] = []  # those that are not the wall's
        self.certificates: list[ServedCertificate] = []
        self._waiting = True  # no port is read before the journal has said something
        self.journal = make_journal(config, self.surroundings(server.zone))
        self.state = State(
            now(),
            config.streams,
            max_streams=server.max_streams,
            max_state=server.max_state,
            expected=expected_of(config.hooks),
        )
        self.state.shared = self.journal.shared
        seats = Seats(reactor, server.max_viewers, self.share)
        self.hub = Hub(self.state, reactor, server.pace, seats)
        self.status = Status(notifier or Notifier(), self.state, self.hub, reactor)
        self.sweep = Sweep()
        self.page = make_page(config, base)
        self.pictures = make_pictures(config, base, reactor)
        own_pages = read_own_pages(config, base)
        self.own_pages = OwnPagesPart(Worker(reactor, "pages"), reactor, own_pages)
        self.screens = screens = Screens()
        self.grants = Grants(self.journal, now, reactor)
        rules, guesses = make_rules(config, tokens), Guesses(reactor.seconds)
        self.access = Access(rules, guesses, self.grants, lambda: self.state.head)
        self.access.changed = self._judge_viewers
        self.grants.changed = self.access.end_rights
        set_private(self.state, not rules.is_public)
        self._judge_again = Deadline(reactor)
        self.rates = Rates(server.rates, self.access, reactor.seconds)
        self.publisher = Publisher(self.access, self.journal, self.state, self.rates)
        live = LivePublisher(self.access, self.publisher)
        self.influx = Influx(self.access, self.publisher, config.influx.stream)
        checks = (self.access.check_report, partial(self.access.refusal, right=Right.REPORT))
        self.viewers = StreamFactory(self.hub, self.sweep, now, screens, *checks, live)
        self.events = EventStreams(self.hub, self.sweep, now)
        self.tell_configuration(None)
        self.polls = Polls(self.hub, now, reactor)
        self.socketio = SocketIo(self.hub, self.sweep, now, self.access, self.rates)
        metrics = partial(Metrics, self.access, Exposition(self))
        places = (server.max_viewers, SPARE_CONNECTIONS, self.share)
        limits = ConnectionLimits(seats.links, seats.links.of, *places)
        refusals = Refusals(now)
        commands = (
            Administration(self.access, self.grants, refusals),
            Commands(self.access, screens, lambda: self.page.walls, now),
            alert_commands(self.access, lambda: self.shifts, self.journal, now),
            GrantCommands(self.access, self.grants),
            Links(self.access, self.grants, now, server.url),
            Pairing(
                self.access,
                self.grants,
                Codes(self.journal, self.grants, now),
                now,
                reactor.seconds,
                lasting=not is_in_memory(config),
            ),
        )
        self.site = Site(
            self.access,
            (
                self.page,
                self.pictures,
                self.own_pages,
                HealthPage(self.state),
                Reached(now),
                metrics(),
                *commands,
            ),
            (
                Reader(self.state, self.hub.slices, now, self.share),
                self.publisher,
                Hooks(self.access, self.publisher, self.journal, now),
                self.influx,
                self.viewers,
                self.events,
                self.polls,
                self.socketio,
            ),
            self._why_no_log,
            lambda: self.state.life,
            self.viewers.upgrade,
            limits,
            Uploads(reactor, self.share),
            reactor,
            security(self.page.script, server.frame_ancestors),
            Unread(lambda: self.state.kept.dropped, self.share),
            Packer(Worker(reactor, "gzip"), self.share),
            self.page.files,
            self.rates,
            refusals,
            {SOCKET_IO: self.socketio.upgrade},
        )
        self.socketio.note_refused = self.site.note_refused
        self.site.request_log.all = config.log.access
        self._metrics_site = metrics_site(self.site, metrics(own_port=True))
        self._metrics_port = server.metrics_port
        plans = plan_sources(config, self.surroundings(server.zone))
        self.shifts: Shifts = Shifts(plans, self._make_shift, reactor)
        self.former = FormerSources(self.journal, self.state, now, self.hub.wake)
        self.peers: Peers | None = None
        if self.journal.shared:
            shared = (self.journal, self.state, self.shifts, self.former, screens)
            self.peers = Peers(*shared, now, reactor, self.hub.wake)
        self.upkeep = Upkeep(
            self.state,
            self.journal,
            self.hub,
            self.sweep,
            self._count_left,
            server.forget,
            now,
            reactor,
        )

    def surroundings(self, zone: tzinfo | None) -> Surroundings:
        """Return the parts of the daemon that sources and the journal may use.

        :param zone: the time zone of ``[server] timezone``.
        """
        return Surroundings(self.reactor, self.base, self.now, self.hidden, zone)

    def _make_shift(self, plan: SourcePlan) -> Shift:
        shared = (self.surroundings(plan.zone), self.journal, self.state, self.now, self.hub.wake)
        make = partial(furnish, plan.name, plan.table, *shared)
        return Shift(plan.name, make, self.journal, self.reactor)

    def tell_configuration(self, trouble: Mapping[str, Any] | None) -> None:
        """Tell all viewers the versions of the page and the walls, and why the file is not in use.

        :param trouble: see the message ``configuration`` of v1; None if the file is in use.
        """
        if trouble is not None and not self.access.rules.is_public:
            # Keys and messages name streams that not every viewer may see.
            trouble = {**trouble, "key": "", "message": ""}
        about = {"build": self.page.build, "walls": self.page.version, "trouble": trouble}
        tell_configuration(self.state, about)
        build = v1_message("build", {"build": self.page.build})
        greeting = (build, v1_message("configuration", about))
        self.viewers.greet(greeting)
        self.events.greet(greeting)
        self.hub.wake()

    def _judge_viewers(self) -> None:
        """Close the viewers whose rights have changed, and forget reports under names of others.

        Requests that were under way become viewers within a second; they are judged then.
        """
        set_private(self.state, not self.access.rules.is_public)
        self._close_strangers()
        self._judge_again.set(2.0, self._close_strangers)

    def _close_strangers(self) -> None:
        open_viewers = (self.viewers.protocols, self.events.protocols, self.polls, self.socketio)
        for viewers in open_viewers:
            viewers.judge(self.access.is_current)
        self.viewers.judge_reports()

    def _count_left(self) -> tuple[int, int]:
        """Return how many viewers, and how many other connections, have ended since the start.

        A viewer whose event stream has ended after the time that it asked for comes back at once.
        """
        events = self.events.protocols.left - self.events.finished
        viewers = self.viewers.protocols.left + events + self.socketio.left
        return viewers, self.site.left

    @property
    def sources(self) -> list[tuple[Source, Feed]]:
        """All sources, each with its feed."""
        return [(shift.source, shift.feed) for shift in self.shifts]

    # -- from start to stop ------------------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Open the ports, before twistd sheds its privileges.

        :raises SystemExit: after one line on stderr, if a port cannot be opened.
        """
        super().privilegedStartService()
        allow_files()
        if self._metrics_port is not None:
            port = endpoint(str(self._metrics_port), METRICS_PORT)
            opened = self._open(port, self._metrics_site, METRICS_PORT)
            self.log.info("the metrics are at {address}metrics", address=address_of(opened, port))
            self._own_ports.append(opened)
        for port in self._ports:
            opened = self._open(port, self.site)
            # Clients wait until the log is read, or there is a reason why it cannot be.
            opened.stopReading()  # type: ignore[attr-defined]
            self.listening.append(opened)
            self.log.info("the wall is at {at}", at=wall_address(opened, port, self._public))
        self.site.take_ports([port.getHost() for port in self.listening])

    def _open(self, port: str, site: Site, key: str = "port") -> IListeningPort:
        try:
            return listen(self.reactor, port, site, key, self.certificates)
        except ConfigError as error:
            self._give_up(str(error))

    def _read_ports(self) -> None:
        waiting, self._waiting = self._waiting, False
        for port in self.listening if waiting else ():
            port.startReading()  # type: ignore[attr-defined]
        if waiting:
            self.status.ready()

    def startService(self) -> None:
        super().startService()
        self._go_to(self.base)
        begin_log(self._log_settings, self.reactor)
        try:
            self.journal.start(self).addCallbacks(self._start_sources, self._stop_all)
        except Unusable as error:
            self._give_up(str(error))

    def _go_to(self, folder: Path) -> None:
        """Change to a folder: functions run in the folder of the configuration, as commands do."""
        try:
            os.chdir(folder)
        except OSError as error:
            self.log.warn(
                "cannot enter {folder}: {error}", folder=str(folder), error=error.strerror
            )

    def _give_up(self, problem: str) -> NoReturn:
        """Write one line on stderr, and end the process."""
        self._complain(problem)
        raise SystemExit(1) from None

    def _complain(self, problem: str) -> None:
        self.log.critical("streamd: {problem}", problem=problem)
        self.status.fail(problem)
        # twistd has made sys.stderr a log; the terminal is still behind sys.__stderr__.
        if sys.__stderr__ is not None:
            sys.__stderr__.write(showable(f"streamd: {problem}") + "\n")

    def _start_sources(self, result: None) -> None:
        self.grants.start()
        self.upkeep.start()
        self.shifts.start()
        if self.peers is not None:
            self.peers.start()
        else:
            self.former.start((shift.feed for shift in self.shifts), self.reactor)

    def _stop_all(self, failure: Failure) -> None:
        if failure.check(Unusable):
            self._complain(str(failure.value))
        else:
            self.log.failure("the journal could not be opened", failure)
        # The reactor has no other way to end with a status of ours.
        self.reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
        self.reactor.stop()

    def stopService(self) -> Deferred[Any]:
        """Stop the sources, close the ports, and ask every viewer to reconnect later.

        The Deferred fires within :data:`STOP_WITHIN` and one second.
        """
        self.status.stop()
        self._go_to(self._from)  # the paths of sockets and of twistd.pid may be relative
        if self.peers is not None:
            self.peers.stop()
        self.former.stop()
        self.grants.stop()
        self._judge_again.cancel()
        stopping: list[Deferred[Any]] = [self.upkeep.stop(), self.shifts.stop()]
        stopping += [maybeDeferred(p.stopListening) for p in (*self.listening, *self._own_ports)]
        self.polls.close_all()
        stopping += [self.events.close_all(), self.viewers.close_all(), self.socketio.close_all()]
        stopping.append(self.site.close_all())
        stopping.append(self._metrics_site.close_all())
        stopping.append(maybeDeferred(super().stopService))

        def rest(result: Any) -> Deferred[None]:
            self.hub.stop()
            return self.journal.stop().addTimeout(1.0, self.reactor).addErrback(hung)

        def hung(failure: Failure) -> None:
            self.log.warn("the journal could not be closed: the disk does not answer")

        def late(failure: Failure) -> None:
            self.log.warn("not all sources stopped within {seconds} s", seconds=STOP_WITHIN)

        stopped = DeferredList(stopping, consumeErrors=True)
        return stopped.addTimeout(STOP_WITHIN, self.reactor).addErrback(late).addCallback(rest)

    # -- the journal's follower: the state follows the log, then the viewers -----------------------

    @property
    def room(self) -> Room:
        """The bounds on appends."""
        return self.state.room

    def restore(
        self, life: int, held: Iterable[Update], horizon: Position, blocks: StoredBlocks
    ) -> None:
        """Replace the state: the journal has a new log, or this node missed a part of it."""
        now = self.now()
        for name in self.state.restore(life, held, horizon, blocks, now, self.reactor.seconds()):
            self.log.error("a value of {name} cannot be read in the log: it is dropped", name=name)
        self._read_ports()
        for _, feed in self.sources:
            feed.restart()
        if self.peers is not None:
            self.peers.restart()
        self.hub.restart()

    def committed(self, updates: Sequence[Update]) -> None:
        """Apply committed updates, and wake the viewers."""
        self.state.apply(updates, self.now())
        self.hub.wake()

    def away(self, why: str | None) -> None:
        """Tell viewers that the journal is away, and why; None if it is back."""
        self.state.set_journal("ok" if why is None else "away", self.now(), why)
        self._read_ports()
        self.hub.wake()

    def skipped(self, streams: Collection[str], why: str) -> None:
        """Fail streams with an entry in the log that cannot be read, until their next value.

        :param why: the reason, a sentence that walls show.
        """
        self.state.skip(streams, why, self.now())
        self.hub.wake()

    def lost(self, why: str) -> None:
        """Tell viewers that the old log is lost, and why."""
        self.state.set_journal("ok", self.now(), why)
        self.hub.wake()

    def _why_no_log(self) -> str | None:
        """Return why there is no log to answer from; None once one was read."""
        if self.state.life:
            return None
        return (self.state.journal or {}).get("error") or "the log has not been read yet"
