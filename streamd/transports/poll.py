"""Viewers that leave after one answer: ``GET /updates``, for shells and small devices."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from streamd.http import Request, Response
from streamd.hub import Hub
from streamd.state import Answer, Mark
from streamd.update import ORIGIN, Refused
from streamd.wire import POLL, Wish, parse_query, poll_answer

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
        self.mark = Mark(ORIGIN, 0)
        self.unsent: deque[memoryview] = deque()
        self.ticked = True
        self.answered: Deferred[bytes] = Deferred(lambda _: hub.leave(self))
        self._hub = hub
        self._slices: list[bytes | memoryview] = []

    def write(self, data: bytes | memoryview) -> None:
        """This is the answer, or a slice of it."""
        self._slices.append(data)
        if self.unsent:
            return
        self.ready = False
        self._hub.leave(self)
        self.answered.callback(b"".join(self._slices))

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

    def get_updates(self, request: Request) -> Response | Deferred[Response]:
        """``GET /updates?streams=&after=&history=&wait=25``.

        :raises Refused: 400 for a wish that cannot be, 503 when there are too many viewers.
        """
        wish = parse_query(request.query)
        wait = _wait(request.query.get("wait"))
        state = self._state
        if wish.after is None or not state.resumes(wish.after, wish.selection):
            return self._anew(wish)
        mark = Mark(wish.after, state.revision)
        news = state.since(mark, wish.selection)
        if news.updates:
            return self._all(wish, news, resumed=True)
        self._hub.check_room()
        return self._later(wish, mark, wait)

    def _anew(self, wish: Wish) -> Response:
        """The answer to one that has nothing."""
        first = self._state.since(self._state.start(wish.history), wish.selection)
        return self._all(wish, first, resumed=False)

    def _all(self, wish: Wish, answer: Answer, resumed: bool) -> Response:
        """The updates of an answer, and how all is that is selected."""
        streams, health = self._state.overview(wish.selection)
        gone = [] if not resumed else list(answer.gone)
        text, at = poll_answer(answer, resumed, gone, streams, health)
        return _response(text + b"\n", str(at))

    def _later(self, wish: Wish, mark: Mark, wait: float) -> Deferred[Response]:
        poll = Poll(self._hub)
        asked_at = self._now()
        at_end = self._clock.callLater(wait, poll.answered.callback, b"")

        def answer(data: bytes) -> Response:
            if at_end.active():
                at_end.cancel()
            self._hub.leave(poll)
            if wish.after is None or not self._state.resumes(wish.after, wish.selection):
                # Lost or forgotten while it waited: said as to one that comes now.
                return self._anew(wish)
            if data:
                return _response(data + b"\n", None)
            # What came since the last flush is not to be passed over.
            news = self._state.since(mark, wish.selection)
            changed = self._state.changed_since(asked_at - BETWEEN, wish.selection)
            if news.updates or news.gone or changed:
                return self._all(wish, news, resumed=True)
            return Response(204, b"", {"Streamd-Position": str(self._state.head)})

        def give_up(failure: Failure) -> Failure:
            if at_end.active():
                at_end.cancel()
            return failure

        self._hub.join(poll, wish, POLL, asked_at)
        return poll.answered.addCallbacks(answer, give_up)


def _response(text: bytes, at: str | None) -> Response:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return Response(200, text, headers if at is None else {**headers, "Streamd-Position": at})


def _wait(text: str | None) -> float:
    try:
        wait = DEFAULT_WAIT if text is None else float(text)
    except ValueError:
        wait = math.nan
    if not 0 <= wait <= MAX_WAIT:
        raise Refused(400, "bad-wait", f"wait: expected 0 to {MAX_WAIT:g} seconds")
    return wait
