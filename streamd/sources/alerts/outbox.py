"""The messages of one alert that were not delivered to every address yet.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from streamd.sources.alerts.message import Message
from streamd.sources.alerts.watch import AlertEvent, Untold

MAX_LETTERS = 50
"""The most messages that wait, with some 5 kB each in the record.  An hour of outage has fewer."""

TRIES = 3600.0
"""Seconds for which a message is tried again.  An older one still gets one attempt, after a restart."""


class Letter(msgspec.Struct, array_like=True):
    """A message, and the addresses that have not got it yet.

    :ivar made: when it was made, in seconds since the epoch.
    :ivar to: the keys of the addresses.
    """

    message: Message
    made: float
    to: list[str]

    @property
    def id(self) -> str:
        """The id of the message."""
        found: str = self.message["id"]
        return found


class AlertRecord(msgspec.Struct, array_like=True):
    """The record of an alert in the journal, from which another process continues."""

    events: list[AlertEvent] = []
    letters: list[Letter] = []
    untold: dict[str, Untold] = {}


class Outbox:
    """Queues the messages; each address gets them in order.

    :ivar letters: in the order in which they were made.
    """

    def __init__(self, letters: Iterable[Letter] = (), keys: Collection[str] = ()) -> None:
        """:param letters: from a record; addresses that are not in ``keys`` are dropped."""
        self.letters = [
            Letter(letter.message, letter.made, to)
            for letter in letters
            if (to := [key for key in letter.to if key in keys])
        ]

    def add(self, message: Message, made: float, keys: Iterable[str]) -> Collection[Letter]:
        """Add a message; return those that it displaces if there are too many.

        A later message about an event replaces a reminder that still waits.  Reminders are displaced
        first, and then the oldest message.
        """
        self.letters = [
            letter
            for letter in self.letters
            if letter.message["kind"] != "reminder" or letter.message["event"] != message["event"]
        ]
        self.letters.append(Letter(message, made, list(keys)))
        displaced = []
        while len(self.letters) > MAX_LETTERS:
            reminders = (one for one in self.letters if one.message["kind"] == "reminder")
            displaced.append(next(reminders, self.letters[0]))
            self.letters.remove(displaced[-1])
        return displaced

    def next(self, key: str) -> Letter | None:
        """Return the oldest message that an address does not have.

        :param key: the key that the alert has for the address.
        """
        return next((letter for letter in self.letters if key in letter.to), None)

    def done(self, letter: Letter, key: str) -> None:
        """Note that an address has a message, or will never get it."""
        letter.to = [other for other in letter.to if other != key]
        if not letter.to:
            self.letters = [other for other in self.letters if other is not letter]

    def waiting(self, key: str) -> int:
        """Return how many messages an address does not have yet."""
        return sum(key in letter.to for letter in self.letters)
