"""A kind of source: a table ``[sources.NAME]`` with ``die = 6`` rolls a die with six sides."""

import random

from streamd.plugin import Duration, Kind, Polling, SourceError, SourceSettings


class Settings(SourceSettings, frozen=True):
    """The keys of the table, besides those of all kinds.  An unknown key is an error by itself.

    :ivar die: the number of sides.
    :ivar every: the interval of rolls.
    """

    die: int
    every: Duration = Duration(1)


class Die:
    """A source: ``start`` begins to feed values, and ``stop`` ends that."""

    def __init__(self, sides, reactor, every):
        self._sides = sides
        self._polling = Polling(self._roll, every, reactor)

    def start(self, feed):
        self._polling.start(feed)

    def stop(self):
        self._polling.stop()

    def _roll(self):
        """Return a reading, or a Deferred of one."""
        if self._sides < 1:
            # The wall shows this sentence.  Of other exceptions it shows only the type.
            raise SourceError("a die without sides")
        return {"eyes": random.randint(1, self._sides)}


def make(name, settings, surroundings):
    """Make the source.  Import drivers here, and raise ConfigError, with the key path, for mistakes."""
    return Die(settings.die, surroundings.reactor, settings.every)


KIND = Kind("die", frozenset({"die"}), Settings, make)
