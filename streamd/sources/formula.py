"""Formulas over other streams: ``formula = "100 * shop.orders / web.visits"``.

The source looks at its inputs every second.  It computes the formula when an input has changed, and
every second if the formula has a window.  ``docs/sources.rst`` describes the language.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from operator import itemgetter
from typing import Any

from twisted.python.failure import Failure

from streamd.config.kind import Kind, Surroundings
from streamd.core.formulas.evaluation import NoResult, Unknown, Value
from streamd.core.formulas.formula import Formula
from streamd.core.formulas.glob_values import GlobValues
from streamd.core.state import State
from streamd.core.stream import Stream
from streamd.core.trend import Trend, Window
from streamd.core.update import ORIGIN, time_of
from streamd.core.values import number_and_word, to_python
from streamd.reactor.timer import Timer
from streamd.sources.errors import SourceError
from streamd.sources.feed import Feed
from streamd.sources.settings import SourceSettings

EVERY = 1.0
"""Seconds between two looks at the inputs."""

INEXACT = 1 / 60
"""The greatest error of a window's length, as a part of it: slots and clock steps are not finer."""


class FormulaSettings(SourceSettings, frozen=True):
    """The table ``[sources.NAME]`` with ``formula``."""

    formula: Formula


class Followed:
    """Reads the history of one stream, and then its new updates, into a window for a formula."""

    def __init__(self, name: str, seconds: float) -> None:
        self._name, self._seconds = name, seconds
        self._begin(None)

    def _begin(self, stream: Stream | None) -> None:
        self._stream = stream
        self._buried = 0 if stream is None else stream.buried
        self._trend = Trend(self._seconds)
        self._seen = ORIGIN
        self._silent = False
        self._filled = False  # whether the stream's past was complete when it was recalled

    def follow(self, stream: Stream | None, now: float) -> None:
        """Add the new updates in the history of the stream."""
        if stream is not self._stream or (
            stream is not None and (stream.newest is None or stream.buried != self._buried)
        ):
            self._begin(stream)  # it was forgotten, perhaps for less time than between two looks
        if self._misses_past(stream, now):
            self._begin(stream)
        if stream is None or stream.newest is None:
            return
        if self._trend.time > now + max(1.0, self._seconds * INEXACT):  # the clock was set back
            self._begin(stream)
            self._seen = stream.newest.at
            self._trend.hear(now, number_and_word(stream.newest.value)[0], counts=False)
        if self._seen == ORIGIN:
            self._recall(stream, now)
        elif stream.lost > self._seen:
            self._trend.lose(now)
        for time, number in self._news(stream):
            self._trend.hear(min(time, now), number)
        silent = stream.health.state != "fresh"
        if silent != self._silent:
            self._silent = silent
            number = None if silent else number_and_word(stream.newest.value)[0]
            self._trend.hear(stream.proof or now if silent else now, number, counts=False)

    def window(self, now: float) -> Window | None:
        return self._trend.window(now)

    def _recall(self, stream: Stream, now: float) -> None:
        """Begin with the slots of the long history, up to where raw history has all updates."""
        long, past, begin = stream.long, stream.past, now - self._seconds
        self._filled = past is not None and past.complete and not past.ended
        if long is None or long.slots.width > self._seconds * INEXACT:
            return
        since = long.raw_since or (past.until if past is not None else 0.0)
        slots = long.slots if past is None else past.before(long.slots)
        if since > begin:
            # With the slot before, so that the number at the beginning of the window is known.
            for slot in slots.read(begin - slots.width, since):
                self._trend.hear_slot(slot, long.slots.width)

    def _misses_past(self, stream: Stream | None, now: float) -> bool:
        """Return whether a backfill is complete that knows more of the window than was recalled."""
        past = None if stream is None else stream.past
        if past is None or self._filled or past.ended or not past.complete:
            return False
        window = self._trend.window(now)
        return window is not None and not window.whole

    def _news(self, stream: Stream) -> list[tuple[float, float | None]]:
        """Return time and number of the updates that were not seen yet, in the order of time."""
        news = []
        for update in reversed(stream.history):
            if update.at <= self._seen:
                break
            news.append((time_of(update), number_and_word(update.value)[0]))
        news.reverse()
        self._seen = stream.history[-1].at
        return sorted(news, key=itemgetter(0))


class Inputs:
    """The inputs of one formula: newest values in the state, and windows of streams."""

    def __init__(self, formula: Formula, state: State) -> None:
        self._formula = formula
        self._state = state
        self._globs = {pattern: GlobValues(state, pattern) for pattern in formula.globs}
        self._windows = {key: Followed(*key) for key in formula.windows}
        self._now = 0.0

    def follow(self, now: float) -> None:
        """Take over the new values of globs, and of the streams that need a window."""
        self._now = now
        for (name, _), followed in self._windows.items():
            followed.follow(self._state.find(name), now)
        for values in self._globs.values():
            values.follow()

    def marks(self) -> list[object]:
        """Return the inputs of the value, apart from windows: equal inputs give an equal value."""
        streams = map(self._state.get, self._formula.inputs)
        seen: list[object] = [stream and (stream.newest, stream.health) for stream in streams]
        # A reason may have to name its inputs no more, see State.private.
        return [self._state.private, *seen, *(values.version for values in self._globs.values())]

    def check(self) -> None:
        """Check that every input has a current value, even in a branch that is not taken.

        :raises SourceError: an input has failed.
        :raises Unknown: an input is late, or has no value yet.
        """
        for name in sorted(self._formula.inputs):
            self._check(name, self._state.get(name))
        for values in self._globs.values():
            if values.unfit:
                name = min(values.unfit)
                self._check(name, values.unfit[name])

    def _check(self, name: str, stream: Stream | None) -> None:
        health = None if stream is None else stream.health
        if health is not None and health.state == "failed":
            raise SourceError(f"{name}: {health.error}")
        if stream is None or stream.newest is None:
            raise Unknown(f"{name} has no value yet")
        if health is not None and health.state == "late":
            raise Unknown(f"{name}: {health.error}" if health.error else f"{name} is late")

    # -- the facts of an evaluation ----------------------------------------------------------------

    def value(self, name: str) -> Any:
        return to_python(self._state.value(name) or b"null")

    def window(self, name: str, seconds: float) -> Window | None:
        return self._windows[name, seconds].window(self._now)

    def numbers(self, pattern: str) -> Collection[float]:
        return self._globs[pattern].numbers()


class FormulaSource:
    """Computes a formula, and publishes its result."""

    every = None  # the result is as late as its inputs, and has no schedule of its own

    def __init__(self, formula: Formula, clock: Any, now: Callable[[], float]) -> None:
        self._formula = formula
        self._now = now
        self._timer = Timer(clock, EVERY, self.look)
        self._seen: object = None
        self._value: Value = 0.0  # the newest
        self._told: str | None = None  # the reason why there is no value

    def start(self, feed: Feed) -> None:
        self._feed = feed
        self._inputs = Inputs(self._formula, feed.state)
        self._timer.start()
        self.look()

    def stop(self) -> None:
        self._timer.stop()

    def look(self) -> None:
        """Compute the formula again if its result may have changed."""
        self._inputs.follow(self._now())
        seen = self._inputs.marks()
        if seen == self._seen and not self._formula.windows:
            if self._told is None:
                self._feed.put(self._value)  # it confirms the value, or appends it at last
            return
        self._seen = seen
        try:
            self._inputs.check()
            value = self._formula.evaluate(self._inputs)
        except (SourceError, Unknown) as error:
            self._tell(error)
        else:
            self._told = None
            whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
            self._value = int(value) if whole else value
            self._feed.put(self._value)

    def _tell(self, error: SourceError | Unknown) -> None:
        """Tell why there is no value.

        Viewers of the result may be forbidden to see an input, and all viewers get the same reason.
        """
        if self._feed.state.private and not isinstance(error, NoResult):
            if isinstance(error, SourceError):
                error = SourceError("an input has failed", detail=error.message)
            else:
                error = Unknown("an input has no value that fits")
        if str(error) == self._told:
            return
        self._told = str(error)
        if isinstance(error, SourceError):
            self._feed.failed(Failure(error))
        else:
            self._feed.waits(str(error))


def _make(name: str, settings: FormulaSettings, surroundings: Surroundings) -> FormulaSource:
    return FormulaSource(settings.formula, surroundings.reactor, surroundings.now)


KIND = Kind("formula", frozenset({"formula"}), FormulaSettings, _make)
