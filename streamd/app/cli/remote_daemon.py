"""A client of a running daemon for the commands: publish and follow, over blocking HTTP."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from streamd.app.cli.daemon_url import DaemonUrl

ANSWER_WITHIN = 15.0
"""Seconds: the daemon writes every 5 s, so a connection without three of these writes is dead."""

COME_BACK = (0.5, 2.0)
"""The range of the random wait before a reconnect, in seconds, unless a ``bye`` has another one."""


class DaemonUnreachable(Exception):
    """No daemon answers; the text says why."""


class NoAnswer(DaemonUnreachable):
    """Nothing answers at the address, neither a daemon nor a proxy."""


class Declined(Exception):
    """The daemon refused the request; the text says why."""


class RemoteDaemon(NamedTuple):
    """The address of a daemon, and a token for it.

    :ivar url: ``http://localhost:5000``, or https; perhaps with the user and password for a proxy.
    :ivar token: a token, or empty.
    """

    url: str
    token: str = ""

    def publish(self, stream: str, value: bytes) -> None:
        """Publish a value; it is in the journal when this returns.

        :param value: JSON or text, as bytes.
        :raises DaemonUnreachable: if no daemon answers.
        :raises Declined: if the daemon refuses the value.
        """
        if self._ask("POST", f"/streams/{quote(stream, safe='')}", value).status != 201:
            raise Declined(f"{self._shown} is not a streamd daemon")

    def command_alert(self, name: str, command: Mapping[str, str]) -> dict[str, Any]:
        """Send a command to an alert; return the answer.

        :raises DaemonUnreachable: if no daemon answers.
        :raises Declined: if the daemon refuses the command.
        """
        return self.ask("POST", f"/alerts/{quote(name, safe='')}", command)

    def ask(self, method: str, path: str, said: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a request with a body in JSON; return the answer, empty if it has no body.

        :param path: quoted; it begins with a slash.
        :raises DaemonUnreachable: if no daemon answers.
        :raises Declined: if the daemon refuses the request.
        """
        answer = self._ask(method, path, None if said is None else json.dumps(said).encode())
        try:
            found: dict[str, Any] = json.loads(answer.read() or b"{}")
        except (OSError, HTTPException, ValueError):
            raise Declined(f"{self.url} is not a streamd daemon") from None
        return found

    def follow(
        self, streams: Sequence[str], history: int, note: Callable[[str], None]
    ) -> Iterator[dict[str, Any]]:
        """Yield every update, beginning with the newest ``history`` of each stream; never end.

        :param streams: names and globs; if empty, all streams.
        :param note: called with a line about a lost connection or missed updates.
        :raises DaemonUnreachable: if the first connection fails; later ones are tried again.
        :raises Declined: if the daemon refuses the request.
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
            if trouble != noted:  # one line for each outage
                note(f"{trouble}; coming back")
                noted = trouble
            time.sleep(random.uniform(*wait))

    def _open(self, query: dict[str, Any]) -> HTTPResponse:
        answer = self._ask("GET", f"/events?{urlencode(query)}")
        if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
            raise Declined(f"{self._shown} is not a streamd daemon")
        return answer

    def _ask(self, method: str, path: str, body: bytes | None = None) -> HTTPResponse:
        url = self._address()
        kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
        connection = kind(url.host, url.port, timeout=ANSWER_WITHIN)
        # An error of http.client would show a token that it cannot send.
        if not (self.token.isascii() and self.token.isprintable()):
            raise Declined("the token has characters that a header cannot hold")
        try:
            connection.request(method, url.prefix + path, body, url.headers(self.token))
            response = connection.getresponse()
            if response.status < 400:
                return response
            reason = response.read(65536)
        except (OSError, HTTPException, UnicodeError) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise NoAnswer(f"cannot reach {self._shown}: {' '.join(why.split())}") from None
        if response.status in (502, 503, 504):  # 502 and 504: a proxy does not reach the daemon
            raise DaemonUnreachable(f"{self._shown}: {_message(reason, response.reason)}")
        raise Declined(f"{self._shown}: {_message(reason, response.reason)}")

    @property
    def _shown(self) -> str:
        """The address for errors, without a password."""
        return str(self._address()).rstrip("/")

    def _address(self) -> DaemonUrl:
        try:
            return DaemonUrl.parse(self.url)
        except ValueError as error:
            raise Declined(str(error)) from None


def _messages(answer: HTTPResponse) -> Iterator[dict[str, Any]]:
    """Yield the v1 messages of an event stream; streamd writes the data of each on one line."""
    for line in answer:
        if line.startswith(b"data:") and line.endswith(b"\n"):
            yield json.loads(line[5:])


def _message(body: bytes, reason: str) -> str:
    """The message of an error's body, or the status line's reason for another server's error."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return reason
