"""A kind of source: [sources.NAME] with a die = 6."""

import random

from streamd.plugin import Duration, Kind, Polling, SourceError, SourceSettings


class Settings(SourceSettings, frozen=True):
    """Its table: these keys, and those that all kinds share.  Unknown ones are errors by themselves."""

    die: int
    every: Duration = Duration(1)


class Die:
    """The promise: ``start`` tells the feed what is, until ``stop``."""

    def __init__(self, sides, reactor, every):
        self._sides = sides
        self._polling = Polling(self._roll, every, reactor)

    def start(self, feed):
        self._polling.start(feed)

    def stop(self):
        self._polling.stop()

    def _roll(self):
        if self._sides < 1:
            raise SourceError("a die without sides")  # for the wall; other exceptions go to the log
        return {"eyes": random.randint(1, self._sides)}  # or a Deferred of it


def make(name, settings, surroundings):
    """Import drivers here.  Raise ConfigError, with its key path, for what cannot be."""
    return Die(settings.die, surroundings.reactor, settings.every)


KIND = Kind("die", frozenset({"die"}), Settings, make)
