"""The daemon: makes its parts, connects them, and starts and stops them."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Collection, Iterable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure

from streamd.app.defaults import make_journal, source_tables
from streamd.app.ports import address_of, listen
from streamd.app.process import allow_files
from streamd.app.upkeep import Upkeep
from streamd.cluster.peers import Peers
from streamd.cluster.shift import Shift
from streamd.config.fields import ConfigError
from streamd.config.kind import Surroundings
from streamd.config.tables import Config, ServerSettings
from streamd.core.long_history import StoredBlocks
from streamd.core.printable import told
from streamd.core.room import Room
from streamd.core.state import State
from streamd.core.update import Position, Update
from streamd.http.access import NO_TOKENS, Access, Tokens, own_hosts, sent_as
from streamd.http.bodies import Packer, Unread
from streamd.http.client_address import TrustedProxies
from streamd.http.connection_limits import ConnectionLimits
from streamd.http.events import EventStreams
from streamd.http.guesses import Guesses
from streamd.http.health import Health
from streamd.http.page import Page, web_folder
from streamd.http.poll import Polls
from streamd.http.publish import Publisher
from streamd.http.read import Reader
from streamd.http.request import security
from streamd.http.screens import Commands
from streamd.http.site import Site
from streamd.http.uploads import Uploads
from streamd.http.websocket import StreamFactory
from streamd.hub.hub import Hub
from streamd.hub.screens import Screens
from streamd.hub.seats import Seats
from streamd.hub.sweep import Sweep
from streamd.journals.journal import Unusable
from streamd.reactor.log_limit import quiet_log
from streamd.reactor.worker import Worker
from streamd.sources.feed import Feed
from streamd.sources.former import FormerSources
from streamd.sources.source import Source, furnish

STOP_WITHIN = 3.5
"""Seconds for sources and viewers to end.  The journal gets one more, so the process ends within 5."""

SPARE_CONNECTIONS = 1000
"""The most connections besides viewers: pages, publishers, and unfinished requests."""

DEMO_NOTE = "demo · add yours to streamd.toml"


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
    ) -> None:
        """:param ports: endpoint strings such as ``tcp:5000``.

        :param base: the folder from which relative paths in the configuration start.
        """
        super().__init__()
        server = config.server
        self._reactor = reactor
        self._now = now
        self._base, self._from = base, Path.cwd()
        self._ports = list(ports)
        self.listening: list[IListeningPort] = []
        self._waiting = True  # no port is read before the journal has said something
        surroundings = Surroundings(reactor, base, now, config.secrets)
        self.journal = make_journal(config, surroundings)
        self.state = State(
            now(), config.streams, max_streams=server.max_streams, max_state=server.max_state
        )
        self.state.shared = self.journal.shared
        seats = Seats(reactor, server.max_viewers, server.address_share)
        self.hub = Hub(self.state, reactor, server.pace, seats)
        self.sweep = Sweep()
        page = Page(web_folder(), config.walls, "" if config.file else DEMO_NOTE, config.order)
        screens = Screens()
        self.viewers = StreamFactory(self.hub, self.sweep, now, screens, page.build)
        self.events = EventStreams(self.hub, self.sweep, now, page.build)
        self.polls = Polls(self.hub, now, reactor)
        self.access = _access(config, tokens, reactor.seconds)
        places = (server.max_viewers, SPARE_CONNECTIONS, server.address_share)
        limits = ConnectionLimits(self.sweep, seats.held, *places)
        self.site = Site(
            self.access,
            (page, Health(self.state), Commands(self.access, screens, page.walls, now)),
            (
                Reader(self.state, self.hub.slices, now, server.address_share),
                Publisher(self.access, self.journal, self.state),
                self.viewers,
                self.events,
                self.polls,
            ),
            self._why_no_log,
            lambda: self.state.life,
            self.viewers.upgrade,
            limits,
            Uploads(reactor, server.address_share),
            reactor,
            security(page.script, server.frame_ancestors),
            Unread(lambda: self.state.kept.dropped, server.address_share),
            Packer(Worker(reactor, "gzip"), server.address_share),
            page.files,
            _proxies(server),
        )
        self.shifts = self._make_shifts(config, surroundings)
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

    def _make_shifts(self, config: Config, surroundings: Surroundings) -> list[Shift]:
        shared = (self.journal, self.state, self._now, self.hub.wake)
        return [
            Shift(
                name,
                partial(furnish, name, table, surroundings, *shared),
                self.journal,
                self._reactor,
            )
            for name, table in source_tables(config).items()
        ]

    def _count_left(self) -> tuple[int, int]:
        """Return how many viewers, and how many other connections, have ended since the start.

        A viewer whose event stream has ended after the time that it asked for comes back at once.
        """
        events = self.events.protocols.left - self.events.finished
        return self.viewers.protocols.left + events, self.site.left

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
        for port in self._ports:
            try:
                opened = listen(self._reactor, port, self.site)
            except ConfigError as error:
                self._give_up(str(error))
            # Clients wait until the log is read, or there is a reason why it cannot be.
            opened.stopReading()  # type: ignore[attr-defined]
            self.listening.append(opened)
            self.log.info("the wall is at {address}", address=address_of(opened, port))
        self.site.take_ports([port.getHost() for port in self.listening])

    def _read_ports(self) -> None:
        waiting, self._waiting = self._waiting, False
        for port in self.listening if waiting else ():
            port.startReading()  # type: ignore[attr-defined]

    def startService(self) -> None:
        super().startService()
        self._go_to(self._base)
        quiet_log(self._reactor)
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
        # twistd has made sys.stderr a log; the terminal is still behind sys.__stderr__.
        if sys.__stderr__ is not None:
            sys.__stderr__.write(told(f"streamd: {problem}") + "\n")

    def _start_sources(self, result: None) -> None:
        self.upkeep.start()
        for shift in self.shifts:
            shift.start()
        if self.peers is not None:
            self.peers.start()
        else:
            self.former.start((shift.feed for shift in self.shifts), self._reactor)

    def _stop_all(self, failure: Failure) -> None:
        if failure.check(Unusable):
            self._complain(str(failure.value))
        else:
            self.log.failure("the journal could not be opened", failure)
        # The reactor has no other way to end with a status of ours.
        self._reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
        self._reactor.stop()

    def stopService(self) -> Deferred[Any]:
        """Stop the sources, close the ports, and ask every viewer to reconnect later.

        The Deferred fires at the latest after :data:`STOP_WITHIN` and one second.
        """
        self._go_to(self._from)  # the paths of sockets and of twistd.pid may be relative
        if self.peers is not None:
            self.peers.stop()
        self.former.stop()
        stopping: list[Deferred[Any]] = [self.upkeep.stop()]
        stopping += [shift.stop() for shift in self.shifts]
        stopping += [maybeDeferred(port.stopListening) for port in self.listening]
        self.polls.close_all()
        stopping += [self.events.close_all(), self.viewers.close_all(), self.site.close_all()]
        stopping.append(maybeDeferred(super().stopService))

        def rest(result: Any) -> Deferred[None]:
            self.hub.stop()
            return self.journal.stop().addTimeout(1.0, self._reactor).addErrback(hung)

        def hung(failure: Failure) -> None:
            self.log.warn("the journal could not be closed: the disk does not answer")

        def late(failure: Failure) -> None:
            self.log.warn("not all sources stopped within {seconds} s", seconds=STOP_WITHIN)

        stopped = DeferredList(stopping, consumeErrors=True)
        return stopped.addTimeout(STOP_WITHIN, self._reactor).addErrback(late).addCallback(rest)

    # -- the journal's follower: the state follows the log, then the viewers -----------------------

    @property
    def room(self) -> Room:
        """The bounds on what may be appended."""
        return self.state.room

    def restore(
        self, life: int, held: Iterable[Update], horizon: Position, blocks: StoredBlocks
    ) -> None:
        """Replace the state: the journal has a new log, or this node missed a part of it."""
        now = self._now()
        for name in self.state.restore(life, held, horizon, blocks, now, self._reactor.seconds()):
            self.log.error("a value of {name} cannot be read in the log: it is dropped", name=name)
        self._read_ports()
        for _, feed in self.sources:
            feed.restart()
        if self.peers is not None:
            self.peers.restart()
        self.hub.restart()

    def committed(self, updates: Iterable[Update]) -> None:
        """Apply what the journal has committed, and wake the viewers."""
        self.state.apply(updates, self._now())
        self.hub.wake()

    def away(self, why: str | None) -> None:
        """Tell viewers that the journal is away, and why; None: that it is back."""
        self.state.set_journal("ok" if why is None else "away", self._now(), why)
        self._read_ports()
        self.hub.wake()

    def skipped(self, streams: Collection[str], why: str) -> None:
        """Fail streams with an entry in the log that cannot be read, until their next value."""
        self.state.skip(streams, why, self._now())
        self.hub.wake()

    def lost(self, why: str) -> None:
        """Tell viewers that the old log is lost, and why."""
        self.state.set_journal("ok", self._now(), why)
        self.hub.wake()

    def _why_no_log(self) -> str | None:
        """Return why there is no log to answer from; None once one was read."""
        if self.state.life:
            return None
        return (self.state.journal or {}).get("error") or "the log has not been read yet"


def _access(config: Config, tokens: Tokens, seconds: Callable[[], float]) -> Access:
    return Access(
        tokens=tokens,
        loopback=not config.file or config.access.publish == "loopback",
        any_port=not config.file,
        only_unix=bool(config.server.trusted_proxies),
        origins=sent_as(config.server.origins),
        publish_origins=sent_as(config.server.publish_origins),
        any_origin=not config.file,
        hosts=own_hosts(socket.gethostname(), config.server.hosts),
        guesses=Guesses(seconds),
    )


def _proxies(server: ServerSettings) -> TrustedProxies:
    networks = [proxy.network for proxy in server.trusted_proxies]
    return TrustedProxies((n for n in networks if n is not None), unix=None in networks)
