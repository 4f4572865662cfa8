"""Sends messages to a web address, as JSON."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec
from twisted.internet.defer import Deferred

from streamd.config.fields import ConfigError
from streamd.config.kind import Surroundings
from streamd.sources.alerts.message import Message
from streamd.sources.errors import SourceError
from streamd.sources.web.http_client import (
    MAX_REDIRECTS,
    HttpClient,
    UnreadBody,
    explain,
    location_of,
    origin_of,
)
from streamd.sources.web.http_get import check_tls, refusal, status_text

ANSWER_WITHIN = 10.0
"""Seconds that the receiver has to answer, redirects included."""

MAX_LATER = 600.0
"""The most seconds that a ``Retry-After`` delays the next attempt: after more, an hour is too short."""

_KEEPING = frozenset((307, 308))
"""Redirects that keep the method and the body (RFC 9110, sections 15.4.8 and 15.4.9)."""

_UNWANTED = frozenset((400, 413, 415, 422))
"""Answers that refuse the message itself: a further attempt has the same answer."""


class Unwanted(SourceError):
    """The receiver refuses this message, and would refuse it each time."""


class Webhook:
    """An address that gets messages by POST.

    The address is a secret: no error contains any part of it.
    """

    def __init__(self, url: str, surroundings: Surroundings) -> None:
        self._url = url
        self._reactor, self._now = surroundings.reactor, surroundings.now
        self._client = HttpClient(surroundings.reactor)

    def send(self, message: Message) -> Deferred[None]:
        """Deliver a message; cancelling the Deferred ends the attempt.

        :raises Unwanted: the receiver refuses the message itself.
        :raises RetryLater: the receiver asks for a pause.
        :raises SourceError: the message was not delivered for another reason.
        """
        sending = Deferred.fromCoroutine(self._send(message))
        sending.addTimeout(ANSWER_WITHIN, self._reactor)
        return sending.addErrback(explain, ANSWER_WITHIN)

    async def _send(self, message: Message) -> None:
        headers = {"Content-Type": "application/json", "Idempotency-Key": message["id"]}
        url, body = self._url, msgspec.json.encode(message)
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._client.request("POST", url, headers, body)
            response.deliverBody(UnreadBody())
            if response.code not in _KEEPING:
                self._check(response)
                return
            url = _redirected(url, response)
        raise SourceError("redirected too often")

    def _check(self, response: Any) -> None:
        """Raise the error for an answer that accepts no message."""
        if response.code in _UNWANTED:
            raise Unwanted(status_text(response))
        if not 200 <= response.code < 300:
            raise refusal(response, self._now(), MAX_LATER)


def _redirected(url: str, response: Any) -> str:
    """Return the address to which an answer redirects, if it has the same origin."""
    try:
        found = location_of(url, response)
    except SourceError:  # its text may have a part of the address
        found = ""
    if not found or origin_of(found) != origin_of(url):
        raise SourceError("redirected to another origin")
    return found


def make_webhook(path: str, url: str, surroundings: Surroundings) -> Webhook:
    """Make the sender for an address that begins with ``http:`` or ``https:``.

    :param path: the key path of the address.
    :raises ConfigError: the address cannot be used, or HTTPS needs a package.
    """
    try:
        parts = urlsplit(url)
        good = parts.hostname and parts.port != 0 and re.fullmatch(r"https?://[!-~]+", url)
    except ValueError:  # a port that is no number
        good = False
    if not good or parts.username is not None:
        expected = 'expected an address such as "https://hooks.example.org/alert", without a user'
        raise ConfigError([f"{path}: {expected}"])
    check_tls(path, url, extra="alerts")
    return Webhook(url, surroundings)
