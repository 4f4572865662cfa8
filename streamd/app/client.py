"""A daemon as a shell sees it: publish to it, follow it.  Plain HTTP, blocking."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

ANSWER_WITHIN = 15.0
"""Seconds: something is said every 5 s, so a link that was silent for three times that is dead."""

COME_BACK = (0.5, 2.0)
"""Seconds between which one waits before coming back, unless the daemon said other ones."""


class DaemonUnreachable(Exception):
    """There is no daemon, or no longer; the text says why."""


class Declined(Exception):
    """The daemon answered, and said no; the text says why."""


class Daemon(NamedTuple):
    """Where it is, and what lets one in.

    :ivar url: ``http://localhost:5000``, or https.
    :ivar token: a bearer token, or empty.
    """

    url: str
    token: str = ""

    def publish(self, stream: str, value: bytes) -> None:
        """One update; it is in the journal when this returns.

        :param value: JSON, or text.
        :raises DaemonUnreachable, Declined:
        """
        if self._ask("POST", f"/streams/{quote(stream, safe='')}", value).status != 201:
            raise Declined(f"{self.url} is no streamd")

    def follow(
        self, streams: Sequence[str], history: int, note: Callable[[str], None]
    ) -> Iterator[dict[str, Any]]:
        """Every update, from the newest ``history`` of each stream on, for ever.

        :param streams: names and globs; none: all.
        :param note: is told of what an update cannot say.
        :raises DaemonUnreachable: if there is nobody to begin with; later it is waited for.
        :raises Declined:
        """
        query: dict[str, Any] = {"format": "v1", "history": history}
        if streams:
            query["streams"] = ",".join(streams)
        answer: HTTPResponse | None = self._open(query)
        noted = ""
        while True:
            wait, trouble = COME_BACK, "the connection ended"
            try:
                for message in _messages(answer or self._open(query)):
                    noted = ""
                    if message["type"] == "updates":
                        yield from message["updates"]
                        query["after"] = message["at"]
                    elif message["type"] == "hello" and "after" in query and not message["resumed"]:
                        note("some updates were missed")
                    elif message["type"] == "bye":
                        wait = message["after"]
            except (OSError, HTTPException, DaemonUnreachable) as error:
                trouble = str(error)
            answer = None
            if trouble != noted:  # one line an outage
                note(f"{trouble}; coming back")
                noted = trouble
            time.sleep(random.uniform(*wait))

    def _open(self, query: dict[str, Any]) -> HTTPResponse:
        answer = self._ask("GET", f"/events?{urlencode(query)}")
        if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
            raise Declined(f"{self.url} is no streamd")
        return answer

    def _ask(self, method: str, path: str, body: bytes | None = None) -> HTTPResponse:
        connection, base = self._connection()
        # http.client would quote a token that it cannot send.
        if not (self.token.isascii() and self.token.isprintable()):
            raise Declined("the token has characters that no token has")
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            connection.request(method, base + path, body, headers)
            response = connection.getresponse()
            if response.status < 400:
                return response
            reason = response.read(65536)
        except (OSError, HTTPException, UnicodeError) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise DaemonUnreachable(f"cannot reach {self.url}: {' '.join(why.split())}") from None
        if response.status in (502, 503, 504):  # the latter two: a proxy without a daemon
            raise DaemonUnreachable(f"{self.url}: {_message(reason, response.reason)}")
        raise Declined(f"{self.url}: {_message(reason, response.reason)}")

    def _connection(self) -> tuple[HTTPConnection, str]:
        try:
            parts = urlsplit(self.url)
            kind = {"http": HTTPConnection, "https": HTTPSConnection}[parts.scheme]
            connection = kind(parts.hostname or "", parts.port, timeout=ANSWER_WITHIN)
            if not parts.hostname:
                raise ValueError
        except (ValueError, KeyError, HTTPException):
            raise Declined(
                f"expected a URL such as http://localhost:5000, not {self.url}"
            ) from None
        return connection, parts.path.rstrip("/")


def _messages(answer: HTTPResponse) -> Iterator[dict[str, Any]]:
    """The v1 messages of an event stream; each has its data on one line."""
    for line in answer:
        if line.startswith(b"data:") and line.endswith(b"\n"):
            yield json.loads(line[5:])


def _message(body: bytes, reason: str) -> str:
    """What an error's body says, if it is one of streamd's."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return reason
