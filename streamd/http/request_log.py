"""The lines of the log about requests: refusals, and each answer if that is configured."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from streamd.core.errors import Refused, shorten
from streamd.core.update import MAX_NAME
from streamd.http.access.access import Access
from streamd.http.access.credentials import token_of
from streamd.http.handshake import SOCKET_IO
from streamd.http.request import Request

_TOLD = {
    "foreign-origin": "a page",
    "unknown-host": "a page",
    "busy": "a client",
    "too-many-connections": "a client",
    "too-many-viewers": "a viewer",
    "too-many-handshakes": "a client",
    "too-many-requests": "a client",
    "too-many-publishes": "a client",
    "upgrade-lost": "a viewer",
    "too-much-for-one-client": "a client",
    "bad-signature": "a sender",
    "too-old": "a sender",
    "bad-token": "a client",
    "no-token": "a client",
    "no-right": "a client",
    "no-pairing": "a screen",
    "too-many-codes": "a screen",
}
"""Codes of refusals that are logged, and for each the client that is refused, as the log names it."""

_MAX_PATH = MAX_NAME + 40
"""The most characters of a path in a line: the name of a stream fits."""

_CHANGES = frozenset(("DELETE", "PATCH", "POST"))

_SAY_EVERY = 60.0
"""Seconds between two log lines about refusals with the same code and the same kind of address."""


class RequestLog:
    """Writes a line for each refusal, and for each answer if that is configured.

    No line has the query of a request, because it may have a secret.

    :ivar all: whether each answered request gets a line.  The log has a limit of lines a second.
    """

    _log = Logger()

    def __init__(self, access: Access, clock: IReactorTime) -> None:
        self.all = False
        self._access = access
        self._clock = clock
        self._said: dict[tuple[str, ...], tuple[float, int]] = {}

    def refused(self, error: Refused, request: Request) -> None:
        """Log a refusal, if the operator should know it.

        A refusal that the configuration can mend is logged once a minute for each kind of address: a
        browser does not show its reason, and the page retries for ever.  Any other refusal is logged if
        the request would have changed something.
        """
        if error.code not in _TOLD:
            self._change_refused(error, request)
            return
        more = self.left_out(error.code, request.client.kind)
        if more is None:
            return
        self._log.warn(
            "{who} was refused: {reason} ({method} {path} from {client}; {more} more like this before)",
            who=_TOLD[error.code],
            reason=error.message,
            method=request.method,
            path=shorten(request.path),
            client=request.client,
            more=more,
        )

    def _change_refused(self, error: Refused, request: Request) -> None:
        if request.method not in _CHANGES or request.path == SOCKET_IO:  # which changes nothing
            return
        token = self._token_name(request)
        self._log.info(
            "{method} {path} was refused: {reason} ({code}, from {client}{token})",
            method=request.method,
            path=shorten(request.path, _MAX_PATH),
            reason=error.message,
            code=error.code,
            client=request.client,
            token=f" with the token {token}" if token else "",
        )

    def _token_name(self, request: Request) -> str:
        """Return the name of a request's token, or its number; empty without a valid token."""
        try:
            token = token_of(request)
        except Refused:
            return ""
        found = None if token is None else self._access.rules.known.principal(token)
        return "" if found is None else found.name or found.publisher

    def answered(self, exchange: Any) -> None:
        """Log an answer, if each one is logged.

        :param exchange: the request as :mod:`twisted.web` has it.
        """
        if self.all:
            self._log.info(
                "{client} {method} {path} {status}",
                client=exchange.channel.peer.client(exchange.forwarded_for),
                method=exchange.method.decode("latin-1"),
                path=shorten(exchange.uri.partition(b"?")[0].decode("latin-1"), _MAX_PATH),
                status=exchange.code,
            )

    def left_out(self, *kind: str) -> int | None:
        """Return how many lines of a kind were left out before this line.

        :returns: None if this line has to be left out, too.
        """
        at, more = self._said.get(kind, (-_SAY_EVERY, 0))
        now = self._clock.seconds()
        if now - at < _SAY_EVERY:
            self._said[kind] = at, more + 1
            return None
        self._said[kind] = now, 0
        return more
