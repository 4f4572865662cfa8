"""Follows files: each line that is appended is published, also over rotations and restarts."""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from streamd.config.fields import ConfigError
from streamd.config.kind import Kind, Surroundings
from streamd.core.duration import Duration
from streamd.core.errors import Refused
from streamd.core.parsed_text import ParsedText
from streamd.core.values import BadValue
from streamd.journals.journal import SourceCursor
from streamd.reactor.worker import Worker
from streamd.sources.databases.rows import seconds
from streamd.sources.errors import SourceError
from streamd.sources.files.matching import Groups, Matching
from streamd.sources.files.tail import Mark, Tail, TailLook
from streamd.sources.incoming_texts import read_text
from streamd.sources.polling import DONE, PolledSource, Polling
from streamd.sources.settings import SourceSettings
from streamd.sources.shape import NOTHING, Event, MessageShape, Shape, check_shape, newest
from streamd.wire.requests import PACE

HANG = 10.0
"""Seconds without an answer of the file system after which the source fails."""

FLOOD = 1000
"""The most lines of one look that are all published; of older ones only the newest of each stream."""

FIRST = 100
"""The most lines that are published at the first start, unless the stream keeps another number."""


class LinePattern(ParsedText):
    """A regular expression with named groups.

    :ivar text: the expression.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    @classmethod
    def parse(cls, written: Any) -> LinePattern:
        try:
            groups = re.compile(written).groupindex
        except (TypeError, re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"expected a regular expression of Python ({error})") from None
        if not groups:
            raise ValueError(r'expected named groups, such as "(?P<status>\d+) (?P<ms>\d+)"')
        return cls(written)


class FileSettings(SourceSettings, frozen=True, kw_only=True):
    """The table ``[sources.NAME]`` with ``file``.

    :ivar file: a path, in which ``*``, ``?`` and ``[…]`` match names; relative to the configuration.
    :ivar key: the group or member that names the row.
    :ivar time: the group or member with the time of a line.
    """

    file: str
    pattern: LinePattern | None = None
    key: str | None = None
    time: str | None = None
    every: Duration = Duration(1)


class FileSource(PolledSource):
    """Looks at files at an interval, in a thread; patterns run in their own process."""

    def __init__(self, name: str, settings: FileSettings, surroundings: Surroundings) -> None:
        _check(f"sources.{name}", settings)
        self._name, self._settings = name, settings
        self._reactor = surroundings.reactor
        shape = Shape(key=settings.key, whole=settings.whole)
        self._messages = MessageShape(check_shape(f"sources.{name}", shape))
        self._tail = Tail(os.path.join(os.path.abspath(surroundings.base), settings.file))
        self._worker = Worker(self._reactor, f"source {name}")
        pattern = settings.pattern
        self._matching = None if pattern is None else Matching(self._reactor, pattern.text)
        self._begun = False  # whether the place in the journal is known
        self._resumes = False  # until what was written since an earlier run is read
        self._good = True  # whether all streams have a value
        self._place: str | None = None
        self._marks: dict[str, Mark] | None = None
        self._polling = Polling(self._read, settings.every, self._reactor)

    def stop(self) -> None:
        self._polling.cancel()
        if self._matching is not None:
            self._matching.stop()
        self._worker.run(self._tail.close)
        self._worker.stop()

    async def _read(self) -> object:
        if not self._begun:
            await self._begin()
        look = await self._in_thread(self._tail.look, self._marks, self._reactor.seconds())
        events = await self._events(look.lines)
        await self._publish(events, look)
        if look.problem:
            self._feed.failed(Failure(SourceError(look.problem)))
        if look.more:
            await deferLater(self._reactor, PACE)
            self._polling.wake()
        return DONE

    async def _begin(self) -> None:
        """Find the place in the journal."""
        self._place = await self._feed.place()
        self._begun = True
        if self._place is not None:
            stored = json.loads(self._place)
            self._marks = {id: Mark(*mark) for id, mark in stored["files"].items()}
            self._resumes = stored["by"] == self._by()

    def _by(self) -> int:
        """Return a number that is another one if the lines make other streams."""
        settings = self._settings
        pattern = settings.pattern and settings.pattern.text
        words = [settings.file, pattern, settings.key, settings.time, settings.whole]
        return zlib.crc32(json.dumps(words).encode())

    async def _publish(self, events: Sequence[Event], look: TailLook) -> None:
        """Publish what was read, and store the places in the same step."""
        files = {id: [*mark] for id, mark in look.marks.items()}
        place = json.dumps({"by": self._by(), "files": files}, sort_keys=True)
        if place != self._place:
            limit = FLOOD
            if self._marks is None:
                limit = min(self._feed.keep.updates or FIRST, FLOOD)
                events = events[-limit:]
            cursor = SourceCursor(self._name, self._place, place)
            good = await self._feed.add_readings(newest(events, limit), cursor)
            self._good = good if events else self._good
            self._place, self._marks = place, look.marks
        if look.problem or look.more:
            return  # of a stream there may be a newer line
        if self._resumes:
            self._resumes = False
            self._feed.resumed()
        elif self._good:
            self._feed.proved()

    def _in_thread(self, function: Any, *arguments: Any) -> Deferred[Any]:
        """Call a function that reads files in the thread; fail while a file system hangs."""
        hangs = SourceError(f"the file system has not answered for {HANG:g} s")
        watch = self._reactor.callLater(HANG, lambda: self._feed.failed(Failure(hangs)))

        def done(result: Any) -> Any:
            if watch.active():
                watch.cancel()
            return result

        return self._worker.run(function, *arguments).addBoth(done)

    # -- from lines to events ----------------------------------------------------------------------

    async def _events(self, lines: Sequence[bytes]) -> list[Event]:
        if not lines:
            return []
        if self._matching is None:
            found: list[Event] = await self._worker.run(self._shaped, [*map(_value, lines)])
            return found
        texts = [line.decode(errors="replace") for line in lines]
        matched = await self._matching.read(texts)
        found = await self._worker.run(self._shaped, [*map(_typed, matched)])
        return found

    def _shaped(self, values: Sequence[Any]) -> list[Event]:
        events = [self._event(value) for value in values if value is not None]
        return [event for event in events if event[0] is not NOTHING]

    def _event(self, value: Any) -> Event:
        time = None
        if self._settings.time is not None and isinstance(value, dict):
            try:
                time = seconds(value.pop(self._settings.time, None), self._settings.time)
            except SourceError as error:
                return BadValue(error.message, "time"), None
        return self._messages.read(value), time


def _value(line: bytes) -> Any:
    """Return the value of a line: JSON, or else the text; what is no UTF-8 in it is replaced."""
    try:
        return read_text(line)
    except Refused:
        return line.decode(errors="replace")


def _typed(groups: Groups | BadValue) -> Any:
    """Return the groups of a line, with numbers as numbers; None if the line has none."""
    if not isinstance(groups, dict):
        return groups
    return {name: _scalar(text) for name, text in groups.items() if text is not None}


def _scalar(text: str) -> Any:
    try:
        value = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return text
    return text if isinstance(value, dict | list | None) else value


def _check(path: str, settings: FileSettings) -> None:
    if not settings.file or settings.file.endswith("/") or "\0" in settings.file:
        raise ConfigError([f'{path}.file: expected a path such as "/var/log/shop/*.log"'])
    pattern = settings.pattern
    groups = None if pattern is None else re.compile(pattern.text).groupindex
    for key, named in (("key", settings.key), ("time", settings.time)):
        if groups is not None and named is not None and named not in groups:
            raise ConfigError([f"{path}.{key}: the pattern has no group {named}"])


KIND = Kind("file", frozenset(("file",)), FileSettings, FileSource)
