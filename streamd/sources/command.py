"""Runs a program, and publishes each line that it prints as a reading."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from streamd.config.fields import ConfigError
from streamd.config.kind import Kind, Surroundings
from streamd.core.duration import Duration
from streamd.core.errors import shorten
from streamd.core.parsed_text import ParsedText
from streamd.sources.errors import SourceError
from streamd.sources.feed import Feed
from streamd.sources.incoming_texts import MAX_TEXT, Texts
from streamd.sources.polling import DONE, MIN_RETRY, Polling
from streamd.sources.settings import SourceSettings
from streamd.wire.requests import PACE

ROOM = 65536
"""Bytes that are read from a program in each :data:`PACE`, 2 MB a second; more output has to wait."""

MAX_STDERR_LINE = 500
"""The most bytes of a line on stderr that are logged."""

STDERR_LINES = 20
"""The most lines of stderr that are logged in a minute."""

MARK = "STREAMD_RUN"
"""The environment variable by which the processes of a run are found outside its process group."""

GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL."""


class Command(ParsedText):
    """A command line for ``sh``, or a program and its arguments.

    :ivar words: the program and its arguments.
    """

    def __init__(self, *words: str) -> None:
        self.words = words

    @classmethod
    def parse(cls, written: Any) -> Command:
        if isinstance(written, str) and written.strip() and "\0" not in written:
            return cls("sh", "-c", written)
        words = written if isinstance(written, list) else []
        if words and all(isinstance(word, str) and "\0" not in word for word in words) and words[0]:
            return cls(*words)
        raise ValueError('expected a command line, or a list such as ["sh", "-c", "…"]')


class CommandSettings(SourceSettings, frozen=True):
    """The table ``[sources.NAME]`` with ``command``.

    :ivar every: the interval of runs; None if the program should run for ever.
    :ivar env: secrets of the configuration that the program gets as environment variables.
    :ivar timeout: with ``every``, the longest time of a run.
    """

    command: Command
    every: Duration | None = None
    env: tuple[str, ...] = ()
    timeout: Duration = Duration(60)


class Lines:
    """Splits a byte stream into lines."""

    def __init__(self, limit: int, take: Callable[[bytes], None]) -> None:
        """:param limit: the most bytes of a line; the rest of a longer line may be dropped.

        :param take: called with each line that is not empty.
        """
        self._limit, self._take = limit, take
        self._rest = b""
        self._dropping = False

    def received(self, data: bytes) -> None:
        """Take the next bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if lines and self._dropping:
            self._dropping = False
            del lines[0]
        for line in lines:
            if line := line.strip():
                self._take(line)
        if len(self._rest) > self._limit and not self._dropping:
            self._dropping = True
            self._take(self._rest)
        if self._dropping:
            self._rest = b""

    def ended(self) -> None:
        """Take a last line without a line feed."""
        self.received(b"\n")


class Run(ProcessProtocol):
    """One run of a program, in its own process group.

    :ivar environment: the environment of the process, with :data:`MARK`.
    :ivar gone: fires with a ProcessDone or ProcessTerminated when the process and its group have ended.
    :ivar too_long: True if the run took longer than its limit.
    """

    transport: Any

    def __init__(
        self, reactor: Any, environment: Mapping[str, str], out: Lines, err: Lines
    ) -> None:
        self.gone: Deferred[Any] = Deferred()
        self.too_long = False
        self._stopping = False
        self.environment = {**environment, MARK: uuid4().hex}
        self._reactor = reactor
        self._lines = {1: out, 2: err}
        self._room = ROOM
        self._timers: list[IDelayedCall] = []

    def connectionMade(self) -> None:
        self._pid = self.transport.pid
        self.transport.closeStdin()

    def childDataReceived(self, fd: int, data: bytes) -> None:
        self._lines[fd].received(data)
        self._room -= len(data)
        if self._room <= 0:
            self._room = ROOM
            self.transport.pauseProducing()
            self._reactor.callLater(PACE, self.transport.resumeProducing)

    def processExited(self, reason: Failure) -> None:
        self._signal(signal.SIGKILL)  # children that still run may hold the pipes open
        # Children that left the group, for example daemons, may hold them open, too.
        self._timers.append(self._reactor.callLater(GRACE, self.transport.loseConnection))

    def processEnded(self, reason: Failure) -> None:
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        for lines in self._lines.values():
            lines.ended()
        self.gone.callback(reason.value)

    def limit(self, seconds: float) -> None:
        """End the run if it lasts longer than ``seconds``."""
        self._timers.append(self._reactor.callLater(seconds, self._late))

    def stop(self) -> None:
        """End the process and the processes that it started, with SIGTERM.

        Processes that remain when the first has ended, or after :data:`GRACE`, get SIGKILL.
        """
        self._stopping = True
        self._signal(signal.SIGTERM)
        self._timers.append(self._reactor.callLater(GRACE, self._signal, signal.SIGKILL))

    def _late(self) -> None:
        self.too_long = True
        self.stop()

    def _signal(self, number: int) -> None:
        # What left the group may be meant to outlive a run, but not the daemon.
        for pid in _marked(self.environment[MARK]) if self._stopping else ():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, number)
        with suppress(ProcessExitedAlready):  # setsid may not have made the group yet
            self.transport.signalProcess(number)


def _marked(mark: str) -> Iterator[int]:
    """Yield the ids of all processes with this mark, on systems that have ``/proc``."""
    wanted = f"{MARK}={mark}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        # A process may end meanwhile, or belong to another user.
        with suppress(OSError):
            if wanted in (folder / "environ").read_bytes():
                yield int(folder.name)


class CommandSource:
    """Runs a command at an interval, or keeps it running."""

    _log = Logger()

    def __init__(self, name: str, settings: CommandSettings, surroundings: Surroundings) -> None:
        program = settings.command.words[0]
        place = str(surroundings.base / program) if "/" in program else program
        for needed, called in (("setsid", "setsid"), (place, program)):
            if shutil.which(needed) is None:
                raise ConfigError([f"sources.{name}.command: there is no program {called}"])
        self._name = name
        self._settings = settings
        self._reactor, self._base = surroundings.reactor, surroundings.base
        self._environment = surroundings.environment
        self._run: Run | None = None
        self._texts: Texts | None = None
        self._printed = False
        self._stderr_lines = STDERR_LINES
        self._minute = 0.0
        self._polling = Polling(self._start, settings.every or MIN_RETRY, self._reactor)

    def start(self, feed: Feed) -> None:
        self._feed = feed
        self._texts = Texts(feed, self._reactor, self._settings.whole)
        self._polling.start(feed)

    def stop(self) -> Deferred[None] | None:
        self._polling.stop()
        if self._texts is not None:
            self._texts.stop()
        if self._run is None:
            return None
        self._run.stop()
        stopped: Deferred[None] = Deferred()
        self._run.gone.addBoth(lambda _: stopped.callback(None))
        return stopped

    def _start(self) -> Deferred[object]:
        self._printed = False
        out, err = Lines(MAX_TEXT, self._publish), Lines(MAX_STDERR_LINE, self._log_line)
        run = Run(self._reactor, self._environment(self._settings.env), out, err)
        words = ["setsid", *self._settings.command.words]
        self._reactor.spawnProcess(run, words[0], words, env=run.environment, path=str(self._base))
        self._run = run
        if self._settings.every:
            run.limit(self._settings.timeout)
        return run.gone.addCallback(self._ended, run)

    def _publish(self, line: bytes) -> None:
        self._printed = True
        if self._texts is not None and not self._polling.stopped:
            self._texts.put(line)

    def _ended(self, error: Any, run: Run) -> object:
        self._run = None
        if self._texts is not None and not self._polling.stopped:
            self._texts.flush()
        if run.too_long:
            raise SourceError(f"the command took longer than {self._settings.timeout:g} s")
        if error.signal is not None:
            raise SourceError(f"the command was ended by signal {error.signal}")
        if not isinstance(error, ProcessDone):
            raise SourceError(f"the command ended with status {error.exitCode}")
        if not self._settings.every:
            raise SourceError('the command ended; with every = "5s" it runs every 5 seconds')
        if not self._printed:
            self._feed.proved()
        return DONE

    def _log_line(self, line: bytes) -> None:
        """Log a line of stderr, at most :data:`STDERR_LINES` a minute."""
        minute = self._reactor.seconds() // 60
        if minute != self._minute:
            self._minute, self._stderr_lines = minute, STDERR_LINES
        self._stderr_lines -= 1
        if self._stderr_lines >= 0:
            text = shorten(line.decode(errors="replace"), MAX_STDERR_LINE)
            self._log.info("source {source} on stderr: {text}", source=self._name, text=text)
        if self._stderr_lines == 0:
            self._log.info("source {source} on stderr: more, not logged", source=self._name)


KIND = Kind("process", frozenset(("command",)), CommandSettings, CommandSource)
