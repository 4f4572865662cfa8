"""Failures: the answer to a request that is refused or fails, and the line in the log."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Protocol

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from streamd.core.errors import Refused
from streamd.http.request import Request, Response, error_response

_HEADERS_OF_ERRORS: Mapping[int, Mapping[str, str]] = {
    401: {"WWW-Authenticate": "Bearer"},
    # RFC 6455, section 4.4, asks for the version.
    426: {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"},
}

COME_AGAIN = (2, 8)
"""Seconds: the range of the random waits in ``Retry-After``.  Clients that were refused together must
not come back together."""


class Notes(Protocol):
    """Counts and logs refusals and failures."""

    def note_failure(self, what: str, failure: Failure) -> None:
        """Log a failure that clients must not see.

        :param what: the text before the traceback: which action has failed.
        """

    def note_refused(self, error: Refused, request: Request | None) -> None:
        """Log a refusal that the operator should know, once a minute."""


def explain(failure: Failure, notes: Notes, request: Request | None) -> Response:
    """Return the answer to a request that failed, and count or log why.

    :param request: the request; None if its head could not be read.
    """
    error = failure.value
    if isinstance(error, CancelledError):  # nobody waits any more
        return Response(503)
    if not isinstance(error, Refused):
        notes.note_failure("a request failed", failure)
        return error_response(500, "internal", "streamd failed on this; its log says why")
    notes.note_refused(error, request)
    return refusal(error)


def refusal(error: Refused) -> Response:
    """Return the answer to a request that is refused."""
    # What is refused to one client may be allowed to another one.
    headers = {"Cache-Control": "no-store", **_HEADERS_OF_ERRORS.get(error.status, {})}
    if error.status in (429, 503):
        headers["Retry-After"] = str(math.ceil(error.wait) + random.randint(*COME_AGAIN))
    return error_response(error.status, error.code, error.message, headers, error.members)
