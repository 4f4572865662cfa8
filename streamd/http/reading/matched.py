"""Delays an answer until its selection is matched, which happens in slices if it takes long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from streamd.core.roster import Matches
from streamd.http.request import Response
from streamd.reactor.slices import Slices


def when_matched(
    slices: Slices,
    matches: Matches,
    answer: Callable[[], Response | Deferred[Response]],
    client: str,
) -> Response | Deferred[Response]:
    """Return the answer, or a Deferred of it if the names of streams must first be matched.

    :param client: the address under which the client is counted.
    """
    if matches.advance():
        return answer()

    def matched(_: None) -> Any:
        return answer()

    return slices.run(matches.steps(), client).addCallback(matched)
