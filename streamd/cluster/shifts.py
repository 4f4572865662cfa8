"""The shifts of all configured sources.  A new configuration replaces those that it changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from streamd.cluster.shift import Shift
from streamd.sources.source import SourcePlan

END_WITHIN = 3.5
"""Seconds that a source has to end before its successor starts: a query may hang, and its result is
ignored anyway."""

Plans = Mapping[str, SourcePlan]
"""The plans of all sources, by their names."""


class Shifts:
    """Starts, replaces and stops the shifts of the sources."""

    _log = Logger()

    def __init__(
        self, plans: Plans, make: Callable[[SourcePlan], Shift], clock: IReactorTime
    ) -> None:
        """:param make: makes the shift of a source, which is not started.

        :raises ConfigError: a source cannot be made.
        """
        self._make = make
        self._clock = clock
        self._plans = plans
        self._shifts: Mapping[str, Shift] = {name: make(plan) for name, plan in plans.items()}
        self._ending: dict[Shift, Deferred[Any]] = {}  # former shifts that have not ended yet
        self._due: set[str] = set()  # sources whose shift is not started yet
        self._runs = False

    def __iter__(self) -> Iterator[Shift]:
        return iter(list(self._shifts.values()))

    def start(self) -> None:
        """Start all shifts."""
        self._runs = True
        for shift in self:
            shift.start()

    def stop(self) -> Deferred[Any]:
        """Stop all shifts; fires when they have ended."""
        self._runs = False
        stopping = [*self._ending.values(), *(shift.stop() for shift in self)]
        return DeferredList(stopping, consumeErrors=True)

    def prepare(self, plans: Plans) -> Mapping[str, Shift]:
        """Return the shifts for these plans, for :meth:`change`: an equal plan keeps its shift.

        :raises ConfigError: a source cannot be made.
        """
        return {
            name: self._shifts[name] if plan == self._plans.get(name) else self._make(plan)
            for name, plan in plans.items()
        }

    def change(self, plans: Plans, shifts: Mapping[str, Shift]) -> None:
        """Stop the shifts that are not among ``shifts``, and start the new ones.

        A changed source starts when the old one has ended.

        :param shifts: the result of :meth:`prepare` for the same plans.
        """
        former, self._shifts, self._plans = self._shifts, shifts, plans
        if not self._runs:
            return
        changed = {name for name, shift in shifts.items() if former.get(name) is not shift}
        self._due = (self._due | changed) & shifts.keys()
        for shift in set(former.values()).difference(shifts.values()):
            self._end(shift)
        for name in changed:
            self._begin(name)

    def _begin(self, name: str) -> None:
        """Start the shift of a source if it is due, unless a former one has not ended yet."""
        if self._runs and name in self._due and name not in {s.name for s in self._ending}:
            self._due.discard(name)
            self._shifts[name].start()

    def _end(self, shift: Shift) -> None:
        stopping = self._ending[shift] = shift.stop()
        late = self._clock.callLater(END_WITHIN, self._give_up, shift)

        def ended(result: object) -> None:
            if late.active():
                late.cancel()
            if self._ending.pop(shift, None) is not None:
                self._begin(shift.name)

        stopping.addErrback(self._failed, shift).addBoth(ended)

    def _give_up(self, shift: Shift) -> None:
        self._log.warn("the source {name} has not ended yet", name=shift.name)
        del self._ending[shift]
        self._begin(shift.name)

    def _failed(self, failure: Failure, shift: Shift) -> None:
        self._log.failure("the source {name} did not end well", failure, name=shift.name)
