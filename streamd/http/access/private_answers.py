"""Answers that depend on the credentials of a client.  Pure.

No cache keeps such an answer for another client, and a long answer ends with the rights of its
client.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec.structs import replace
from twisted.internet.defer import Deferred

from streamd.http.access.principal import Principal
from streamd.http.request import Handover, Response, varying

CREDENTIALS = ("Authorization", "Cookie", "Streamd-Token")
"""The headers of a request on which the rights of its client depend."""


def private(answer: Any) -> Any:
    """Return an answer that only the cache of its client may keep (RFC 9111, section 5.2.2.7)."""
    return _changed(answer, _private)


def ending(answer: Any, reader: Principal) -> Any:
    """Return an answer that ends when the rights of this client change; a viewer ends by itself."""
    return _changed(answer, partial(replace, reader=reader))


def _changed(answer: Any, change: Callable[[Response], Response]) -> Any:
    if isinstance(answer, Deferred):
        return answer.addCallback(_changed, change)
    if isinstance(answer, Response):
        return change(answer)
    if isinstance(answer, Handover) and answer.head is not None:
        return replace(answer, head=change(answer.head))
    return answer


def with_cookie(response: Response, cookie: str | None) -> Response:
    """Return an answer that sets a cookie.

    :param cookie: the header ``Set-Cookie``; None to return the answer unchanged.
    """
    if cookie is None:
        return response
    return replace(response, headers={**response.headers, "Set-Cookie": cookie})


def _private(response: Response) -> Response:
    cached = response.headers.get("Cache-Control", "no-cache").removeprefix("public, ")
    headers = {
        **response.headers,
        "Cache-Control": cached if cached == "no-store" else f"private, {cached}",
        "Vary": varying(response.headers, *CREDENTIALS),
    }
    return replace(response, headers=headers)
