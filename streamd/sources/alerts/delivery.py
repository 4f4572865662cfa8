"""Delivers the messages of one alert to one address, in order, and tries again after failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from streamd.sources.alerts.message import Message
from streamd.sources.alerts.outbox import TRIES, Letter, Outbox
from streamd.sources.alerts.webhook import Unwanted
from streamd.sources.errors import SourceError
from streamd.sources.polling import RetryLater

MIN_RETRY = 5.0
"""Seconds from a failure to the next attempt.  The pause doubles with each further failure."""

MAX_RETRY = 60.0
"""The longest pause in seconds: a receiver that is back is told within a minute."""


class Sender(Protocol):
    """Delivers one message to one address."""

    def send(self, message: Message) -> Deferred[None]:
        """Deliver a message; the Deferred may be cancelled.

        :raises SourceError: the message was not delivered; the text has no part of the address.
        """


class AlertCounts:
    """Counts an alert's events and messages, on the node that runs it.

    :ivar begun: events that began.
    :ivar ended: events that ended.
    :ivar delivered: messages that an address accepted.
    :ivar failed: attempts that failed.
    :ivar lost: messages that an address will never get.
    """

    def __init__(self) -> None:
        self.begun = self.ended = self.delivered = self.failed = self.lost = 0


class Delivery:
    """Sends the messages of an outbox to one address, one at a time.

    :ivar key: the address's key in the outbox.
    :ivar error: why the last attempt failed; None if it worked, or before the first attempt.
    """

    _log = Logger()

    def __init__(
        self,
        key: str,
        path: str,
        sender: Sender,
        counts: AlertCounts,
        clock: IReactorTime,
        now: Callable[[], float],
    ) -> None:
        """:param path: the key path of the address, which log lines name instead of the address."""
        self.key, self.path, self.sender = key, path, sender
        self.error: str | None = None
        self._counts = counts
        self._clock, self._now = clock, now
        self._pause = 0.0
        self._next = 0.0  # on the clock
        self._sending: Deferred[Any] | None = None

    def go(self, outbox: Outbox, changed: Callable[[], object]) -> None:
        """Send the next message, unless one is being sent or a pause is not over.

        :param changed: called after each attempt.
        """
        letter = outbox.next(self.key)
        if letter is None or self._sending is not None or self._clock.seconds() < self._next:
            return

        def ended(result: Any) -> None:
            self._sending = None
            if self._note(result, letter):
                outbox.done(letter, self.key)
            changed()

        sending = self._sending = self.sender.send(letter.message)
        sending.addBoth(ended)

    def stop(self) -> None:
        """End the attempt that is under way.

        Its message may have arrived, and is sent again later.
        """
        if self._sending is not None:
            self._sending.cancel()
        stop = getattr(self.sender, "stop", None)
        if stop is not None:
            stop()

    def test(self, message: Message) -> Deferred[str | None]:
        """Send a message now, before all that wait; fires with the error, or with None."""

        def ended(result: Any) -> str | None:
            error = self._reason(result)
            if error is None:
                self.error, self._next = None, 0.0  # what waits is tried at once
            return error

        return self.sender.send(message).addBoth(ended)

    def _note(self, result: Any, letter: Letter) -> bool:
        """Note the result of an attempt; return whether the message is done with."""
        self.error = self._reason(result)
        if self.error is None:
            self._counts.delivered += 1
            self._pause = self._next = 0.0
            return True
        self._counts.failed += 1
        self._pause = min(max(MIN_RETRY, 2 * self._pause), MAX_RETRY)
        wait = result.value.seconds if result.check(RetryLater) else self._pause
        self._next = self._clock.seconds() + wait
        if result.check(Unwanted):
            self._next = 0.0  # the next message may be welcome
        elif self._now() - letter.made < TRIES:
            return False
        self.lose(letter)
        return True

    def lose(self, letter: Letter) -> None:
        """Note that the address will never get a message."""
        self._counts.lost += 1
        self._log.error(
            "{path}: the message {id} is lost: {error}",
            path=self.path,
            id=letter.id,
            error=self.error or "too many messages wait",
        )

    @staticmethod
    def _reason(result: Any) -> str | None:
        """Return why an attempt failed, without any part of the address; None if it did not."""
        if not isinstance(result, Failure):
            return None
        error = result.value
        if isinstance(error, SourceError):
            return error.message
        return f"the delivery failed ({type(error).__name__})"
