"""Viewers that leave after one answer: ``GET /updates``, for shells and small devices."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from streamd.core import catchup
from streamd.core.catchup import Answer, Cursor
from streamd.core.errors import Refused
from streamd.core.update import ORIGIN, Position
from streamd.http.request import Request, Response, Routes, joined
from streamd.hub.audience import Audience, Pieces
from streamd.hub.hub import Hub
from streamd.wire.encoding import packed
from streamd.wire.overview import overview
from streamd.wire.poll import POLL, poll_answer, poll_opening
from streamd.wire.requests import Subscription, parse_query
from streamd.wire.v1 import v1_update

DEFAULT_WAIT = 25.0
MAX_WAIT = 60.0
"""Seconds; longer, and a proxy in between gives up first."""

BETWEEN = 30.0
"""Seconds that a client may take from one poll to the next.  Health and descriptions have no
position: what changed in between is told at the end of the wait, at the latest."""


class Poll:
    """One that waits: a viewer whose first message is its last."""

    def __init__(self, hub: Hub) -> None:
        self.ready = True
        self.audience: Audience | None = None
        self.cursor = Cursor(ORIGIN, 0)
        self.unsent: Pieces | None = None
        self.ticked = True
        self.answered: Deferred[bytes] = Deferred(lambda _: hub.leave(self))
        self._hub = hub
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        """This is the answer, or a piece of it."""
        self._pieces.append(data)
        if self.unsent:
            return
        self.ready = False
        self._hub.leave(self)
        self.answered.callback(b"".join(self._pieces))

    def lose(self) -> None:
        """Answer from the beginning: what it has cannot be mended."""
        self.answered.callback(b"")


class Polls:
    """Answers polls, at once or when there is something to say."""

    def __init__(self, hub: Hub, now: Callable[[], float], clock: IReactorTime) -> None:
        self._hub = hub
        self._state = hub.state
        self._now = now
        self._clock = clock
        self._waiting: set[Poll] = set()

    def close_all(self) -> None:
        """Answer all that wait with what there is, as at the end of their wait."""
        for poll in list(self._waiting):
            poll.answered.callback(b"")

    @property
    def routes(self) -> Routes:
        """What it answers."""
        return {"/updates": {"GET": self.get_updates}}

    def get_updates(self, request: Request) -> Response | Deferred[Response]:
        """``GET /updates?streams=&after=&history=&wait=25``.

        :raises Refused: 400 for a subscription that cannot be, 503 when there are too many viewers.
        """
        subscription = parse_query(request.query)
        wait = _wait(request.query.get("wait"))
        state = self._state
        if subscription.after is None or not catchup.resumes(
            state, subscription.after, subscription.selection
        ):
            return self._anew(subscription)
        cursor = Cursor(subscription.after, state.revision)
        news = catchup.since(state, cursor, subscription.selection)
        if news.updates:
            return self._all(subscription, news)
        self._hub.check_room()
        return self._later(subscription, cursor, wait)

    def _anew(self, subscription: Subscription) -> Response:
        """The answer to one that has nothing: whole, or the rest would have no cursor."""
        state = self._state
        cursor = catchup.start(state, subscription.history)
        cursor = cursor._replace(revision=state.revision)  # what else there is is told below
        updates = catchup.since(state, cursor, subscription.selection, whole=True).updates
        found = joined(map(v1_update, updates), poll_opening(state.head, False), b"],")
        return _response(chain(found, self._about(subscription), (b"\n",)), state.head)

    def _all(self, subscription: Subscription, answer: Answer) -> Response:
        """What somebody missed, and how all is that is selected."""
        parts, at = poll_answer(
            answer, map(v1_update, answer.updates), self._about(subscription, answer.gone)
        )
        return _response(chain(parts, (b"\n",)), at)

    def _about(self, subscription: Subscription, gone: Iterable[str] = ()) -> Iterator[bytes]:
        return overview(self._state, subscription.selection, gone=gone)

    def _later(self, subscription: Subscription, cursor: Cursor, wait: float) -> Deferred[Response]:
        poll = Poll(self._hub)
        asked_at = self._now()
        at_end = self._clock.callLater(wait, poll.answered.callback, b"")
        self._waiting.add(poll)

        def end() -> None:
            self._waiting.discard(poll)
            if at_end.active():
                at_end.cancel()

        def answer(data: bytes) -> Response:
            end()
            self._hub.leave(poll)
            if subscription.after is None or not catchup.resumes(
                self._state, subscription.after, subscription.selection
            ):
                # Lost or forgotten while it waited: said as to one that comes now.
                return self._anew(subscription)
            if data:
                return _response(data + b"\n", poll.cursor.at)
            # What came since the last flush is not to be passed over.
            news = catchup.since(self._state, cursor, subscription.selection)
            changed = catchup.changed_since(self._state, asked_at - BETWEEN, subscription.selection)
            if news.updates or news.gone or changed:
                return self._all(subscription, news)
            return Response(204, b"", {"Streamd-Position": str(news.at)})

        def give_up(failure: Failure) -> Failure:
            end()
            return failure

        self._hub.join(poll, subscription, POLL, asked_at)
        return poll.answered.addCallbacks(answer, give_up)


def _response(body: bytes | Iterator[bytes], at: Position) -> Response:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    parts = body if isinstance(body, bytes) else packed(body)
    return Response(200, parts, {**headers, "Streamd-Position": str(at)})


def _wait(text: str | None) -> float:
    try:
        wait = DEFAULT_WAIT if text is None else float(text)
    except ValueError:
        wait = math.nan
    if not 0 <= wait <= MAX_WAIT:
        raise Refused(400, "bad-wait", f"wait: expected 0 to {MAX_WAIT:g} seconds")
    return wait
