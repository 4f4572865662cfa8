"""The daemon put together: what is made of what."""

from __future__ import annotations

import ctypes
import gc
import os
import socket
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure

from streamd.app.kinds import make_journal, tables
from streamd.app.ports import allow_files, listen
from streamd.cluster.lease import Lease
from streamd.cluster.peers import Peers
from streamd.cluster.shift import Shift
from streamd.config.fields import ConfigError
from streamd.config.kind import Surroundings
from streamd.config.tables import Config
from streamd.core.state import State
from streamd.core.update import Draft, Position, Update
from streamd.http.access import NO_TOKENS, Access, Tokens, normal_origin, own_hosts
from streamd.http.events import EventStreams
from streamd.http.page import Page
from streamd.http.poll import Polls
from streamd.http.publish import Publisher
from streamd.http.read import Reader
from streamd.http.screens import Commands
from streamd.http.site import Site
from streamd.http.websocket import StreamFactory
from streamd.hub.hub import Hub
from streamd.hub.screens import Screens
from streamd.hub.sweep import Sweep
from streamd.journals.journal import Away, Outrun, Unusable
from streamd.reactor.log_limit import quiet_log
from streamd.reactor.timer import Timer
from streamd.sources.feed import Feed
from streamd.sources.source import Source, furnish
from streamd.wire.encoding import TICK

STOP_WITHIN = 3.5
"""Seconds for sources and viewers to end; the journal has one more, and the process ends within 5."""

MANY_LEFT = 100
"""Viewers, or other connections, after whose end memory is given back to the system."""

SPARE_CONNECTIONS = 1000
"""Connections beyond the viewers: pages, publishers, and what does not finish its request."""

TRIM_EVERY = 5.0
"""Seconds between two times that the journal lets go of what the state let go of."""

DEMO_NOTE = "demo · add yours to streamd.toml"


class Streamd(MultiService):
    """The service.  Its parts are attributes, each made once, wired in :meth:`__init__`."""

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

        :param base: the folder that relative paths in the configuration start from.
        """
        super().__init__()
        server = config.server
        self._reactor = reactor
        self._now = now
        self._ports = list(ports)
        self._forget = server.forget
        self.listening: list[IListeningPort] = []
        surroundings = Surroundings(reactor, base, now)
        self.journal = make_journal(config, surroundings)
        self.state = State(
            now(), config.streams, max_streams=server.max_streams, max_state=server.max_state
        )
        self.state.shared = self.journal.shared
        self.hub = Hub(self.state, reactor, server.max_viewers, server.pace)
        self.sweep = Sweep()
        page = Page(web_folder(), config.walls, "" if config.file else DEMO_NOTE)
        screens = Screens()
        self.viewers = StreamFactory(self.hub, self.sweep, now, reactor, screens, page.build)
        self.events = EventStreams(self.hub, self.sweep, now, page.build)
        self.polls = Polls(self.hub, now, reactor)
        self.access = _access(config, tokens)
        self.site = Site(
            self.access,
            (
                page,
                Reader(self.state),
                Publisher(self.access, self.journal, self.state),
                self.viewers,
                self.events,
                self.polls,
                Commands(self.access, screens, page.walls, now),
            ),
            self.viewers.upgrade,
            self.sweep,
            reactor,
            server.max_viewers + SPARE_CONNECTIONS,
        )
        self.shifts = self._make_shifts(config, surroundings)
        self._forgetting = Lease("forget", self.journal, reactor)
        self.peers: Peers | None = None
        if self.journal.shared:
            shared = (self.journal, self.state, self.shifts, screens, now, reactor, self.hub.wake)
            self.peers = Peers(*shared)
        self._timers = [
            Timer(reactor, 1.0, lambda: self.sweep.turn(reactor.seconds())),
            Timer(reactor, 1.0, self._judge),
            Timer(reactor, TICK, self._tick),
            Timer(reactor, 60.0, self._forget_streams),
            Timer(reactor, 10.0, self._give_back_memory),
            Timer(reactor, TRIM_EVERY, self._trim),
        ]
        self._left = (0, 0)

    def _make_shifts(self, config: Config, surroundings: Surroundings) -> list[Shift]:
        shared = (self.journal, self.state, self._now, self.hub.wake, config.streams)
        return [
            Shift(
                name,
                partial(furnish, name, table, surroundings, *shared),
                self.journal,
                self._reactor,
            )
            for name, table in tables(config).items()
        ]

    @property
    def sources(self) -> list[tuple[Source, Feed]]:
        """Each with the feed that it puts into."""
        return [(shift.source, shift.feed) for shift in self.shifts]

    @property
    def _leases(self) -> list[Lease]:
        return [self._forgetting, *(shift.lease for shift in self.shifts)]

    # -- from start to stop ------------------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Open the ports while that is still allowed.

        :raises SystemExit: after one line on stderr, if one cannot be opened.
        """
        super().privilegedStartService()
        allow_files()
        for port in self._ports:
            try:
                opened = listen(self._reactor, port, self.site)
            except ConfigError as error:
                self._give_up(str(error))
            # Whoever comes waits until there is a log: from an empty state nobody could resume.
            opened.stopReading()  # type: ignore[attr-defined]
            self.listening.append(opened)

    def startService(self) -> None:
        super().startService()
        quiet_log(self._reactor)
        try:
            self.journal.start(self).addCallbacks(self._start_sources, self._stop_all)
        except Unusable as error:
            self._give_up(str(error))

    def _give_up(self, problem: str) -> NoReturn:
        """:raises SystemExit: after one line on stderr."""
        self._complain(problem)
        raise SystemExit(1) from None

    def _complain(self, problem: str) -> None:
        self.log.critical("streamd: {problem}", problem=problem)
        # What is written to sys.stderr is a log line by now; whoever typed the command looks here.
        if sys.__stderr__ is not None:
            sys.__stderr__.write(f"streamd: {problem}\n")

    def _start_sources(self, result: None) -> None:
        for timer in self._timers:
            timer.start()
        for lease in self._leases:
            lease.start()
        if self.peers is not None:
            self.peers.start()

    def _stop_all(self, failure: Failure) -> None:
        if failure.check(Unusable):
            self._complain(str(failure.value))
        else:
            self.log.failure("the journal could not be opened", failure)
        # The reactor has no other way to end with a status of ours.
        self._reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
        self._reactor.stop()

    def stopService(self) -> Deferred[Any]:
        """Sources first, then the ports; every viewer is told to come back."""
        for timer in self._timers:
            timer.stop()
        if self.peers is not None:
            self.peers.stop()
        stopping: list[Deferred[Any]] = [lease.stop() for lease in self._leases]
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

    # -- what the journal tells: the state follows, then the viewers -------------------------------

    def restore(self, life: int, held: Iterable[Update], horizon: Position) -> None:
        """There is another log than before."""
        for name in self.state.restore(life, held, horizon, self._now()):
            self.log.error("a value of {name} cannot be read in the log: it is let go", name=name)
        for port in self.listening:
            port.startReading()  # type: ignore[attr-defined]
        for _, feed in self.sources:
            feed.restart()
        if self.peers is not None:
            self.peers.restart()
        self.hub.restart()

    def committed(self, updates: Iterable[Update]) -> None:
        """It goes on."""
        self.state.apply(updates, self._now())
        self.hub.wake()

    def away(self, why: str | None) -> None:
        """It cannot go on, or can again."""
        self.state.set_journal("ok" if why is None else "away", self._now(), why)
        self.hub.wake()

    def lost(self, why: str) -> None:
        """It is another one."""
        self.state.set_journal("ok", self._now(), why)
        self.hub.wake()

    # -- every so often ----------------------------------------------------------------------------

    def _judge(self) -> None:
        before = self.state.revision
        self.state.judge(self._now())
        if self.state.revision != before:
            self.hub.wake()

    def _tick(self) -> None:
        self.hub.tick(self._now())

    def _forget_streams(self) -> None:
        names = self.state.forgettable(self._forget, self._now())
        fence = self._forgetting.fence
        if names and fence:
            forgetting = self.journal.append([Draft(name, None) for name in names], fence=fence)
            forgetting.addErrback(lambda failure: failure.trap(Away, Outrun))  # another time, then
            forgetting.addErrback(
                lambda failure: self.log.failure("streams could not be forgotten", failure)
            )

    def _trim(self) -> None:
        first, horizon = self.state.losses()
        if first:  # what one attempt misses, the next start finds
            self.journal.trim(first, horizon).addErrback(lambda failure: failure.trap(Away))

    def _give_back_memory(self) -> None:
        """After many viewers left: Python and the C library would keep what they took."""
        viewers = self.viewers.protocols.left + self.events.protocols.left
        connections = self.site.left
        if viewers - self._left[0] >= MANY_LEFT:
            gc.collect()  # takes as long as there is much state: not for every connection
        elif connections - self._left[1] < MANY_LEFT:
            return
        self._left = viewers, connections
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _access(config: Config, tokens: Tokens) -> Access:
    return Access(
        tokens=tokens,
        loopback=not config.file or config.access.publish == "loopback",
        origins=frozenset(map(normal_origin, config.server.origins)),
        any_origin=not config.file,
        hosts=own_hosts(socket.gethostname(), config.server.hosts),
    )


def web_folder() -> Path:
    """Where the page is: in the package when installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "web"
    return inside if inside.is_dir() else package.parent / "web"
