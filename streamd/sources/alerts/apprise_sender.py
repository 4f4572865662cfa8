"""Sends messages to every other address that ``apprise`` knows: chats, mail, telephones."""

from __future__ import annotations

import logging
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, fail
from twisted.python.failure import Failure

from streamd.config.extras import needs_extra
from streamd.config.fields import ConfigError
from streamd.config.kind import Surroundings
from streamd.reactor.worker import Worker
from streamd.sources.alerts.message import Message
from streamd.sources.errors import SourceError

ANSWER_WITHIN = 60.0
"""Seconds for one message: a mail server may need half a minute, and greets some clients late."""

EXAMPLES = (
    '"mailto://user:pass@example.org" or "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"'
)
"""Addresses that apprise takes, as docs/alerts.rst has them."""


class AppriseSender:
    """An address of ``apprise``, which blocks and so runs in its own thread.

    The address is a secret: no error contains any part of it.
    """

    def __init__(self, sender: Any, surroundings: Surroundings) -> None:
        """:param sender: an ``apprise.Apprise`` with one address."""
        self._sender = sender
        self._reactor = surroundings.reactor
        self._worker = Worker(surroundings.reactor, "alerts")
        self._calling = False  # a call that has no answer yet: there is never a second one

    def send(self, message: Message) -> Deferred[None]:
        """Deliver a message; cancelling the Deferred does not end the attempt.

        :raises SourceError: the message was not delivered.
        """
        if self._calling:
            return fail(SourceError("an earlier attempt has not ended yet"))
        self._calling = True
        answer: Deferred[None] = Deferred(lambda _: None)
        calling = self._worker.run(self._notify, message["title"], message["text"])
        calling.addBoth(self._ended, answer)
        return answer.addTimeout(ANSWER_WITHIN, self._reactor).addErrback(_explain)

    def stop(self) -> None:
        """End the thread once its call has ended."""
        self._worker.stop()

    def _notify(self, title: str, text: str) -> bool:
        # The log of apprise has addresses; Python would write its warnings on standard error.
        logging.getLogger("apprise").disabled = True
        return bool(self._sender.notify(title=title, body=text, body_format="text"))

    def _ended(self, result: Any, answer: Deferred[None]) -> None:
        self._calling = False
        if answer.called:
            return
        if isinstance(result, Failure):
            answer.errback(result)
        elif result:
            answer.callback(None)
        else:
            answer.errback(SourceError("the service did not take the message"))


def _explain(failure: Failure) -> None:
    """Raise an error that has nothing of the address, as the exceptions of a service may have."""
    if isinstance(failure.value, SourceError):
        raise failure.value
    if failure.check(TimeoutError):
        raise SourceError(f"no answer within {ANSWER_WITHIN:g} s") from None
    raise SourceError(f"the delivery failed ({type(failure.value).__name__})") from None


def make_apprise_sender(path: str, address: str, surroundings: Surroundings) -> AppriseSender:
    """Make the sender for an address that is not a web address.

    :param path: the key path of the address.
    :raises ConfigError: the address is unknown, or ``apprise`` is missing.
    """
    if "://" not in address:
        raise ConfigError(
            [
                f'{path}: expected an address such as "https://hooks.example.org/alert", or {EXAMPLES}'
            ]
        )
    try:
        import apprise
    except ImportError:
        needs = needs_extra("an address other than http: and https:", "apprise", "alerts")
        raise ConfigError([f"{path}: {needs}"]) from None
    logging.getLogger("apprise").disabled = True
    sender = apprise.Apprise()
    if not sender.add(address):
        raise ConfigError([f"{path}: expected an address that apprise knows, such as {EXAMPLES}"])
    return AppriseSender(sender, surroundings)
