"""Long polls: ``GET /updates``, a viewer that gets one answer, for shells and small devices."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from streamd.core import catchup
from streamd.core.cursor import Answer, Cursor
from streamd.core.errors import Refused
from streamd.core.selection import Selection
from streamd.core.update import ORIGIN, Position
from streamd.http.access.principal import Principal, signed_out
from streamd.http.reading.matched import when_matched
from streamd.http.request import Request, Response, Routes, joined
from streamd.hub.audience import Audience, Pieces
from streamd.hub.hub import Hub
from streamd.hub.seats import Seat
from streamd.wire.overview import overview
from streamd.wire.poll import POLL, poll_answer, poll_opening
from streamd.wire.requests import Subscription
from streamd.wire.v1 import v1_update

DEFAULT_WAIT = 25.0
MAX_WAIT = 60.0
"""Seconds that a poll may wait: proxies end longer requests."""

BETWEEN = 30.0
"""Seconds that a client may take from one poll to the next.  Changes of health have no position.
Therefore a poll that ends without news also answers with changes from so long before it began."""


class Poll:
    """A request that waits: a viewer of the hub that leaves after its first message."""

    def __init__(self, hub: Hub, principal: Principal) -> None:
        self.principal = principal
        self.ready = True
        self.audience: Audience | None = None
        self.cursor = Cursor(ORIGIN, 0)
        self.unsent: Pieces | None = None
        self.ticked = True
        self.answered: Deferred[bytes] = Deferred(lambda _: hub.leave(self))
        self._hub = hub
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Take the answer or a piece of it, and end the wait after the last piece."""
        self._pieces.append(data)
        if self.unsent:
            return
        self.ready = False
        self._hub.leave(self)
        self.answered.callback(b"".join(self._pieces))

    def proceed(self) -> None:
        """Do nothing: the first answer is the last."""

    def sign_out(self) -> None:
        """Refuse the request: the client may no longer read its streams."""
        self.ready = False
        self._hub.leave(self)
        self.answered.errback(signed_out())

    def lose(self) -> None:
        """End the wait: the answer is then made from the present state."""
        self.answered.callback(b"")


class Polls:
    """Answers polls: at once if the client missed an update, else at the next change.

    :ivar waited: how many polls have waited for a change.
    """

    def __init__(self, hub: Hub, now: Callable[[], float], clock: IReactorTime) -> None:
        self._hub = hub
        self._state = hub.state
        self._now = now
        self._clock = clock
        self.waited = 0
        self._waiting: set[Poll] = set()

    def __len__(self) -> int:
        """Return how many polls wait."""
        return len(self._waiting)

    def close_all(self) -> None:
        """Answer all waiting polls now, as at the end of their wait."""
        for poll in list(self._waiting):
            poll.lose()

    def judge(self, is_current: Callable[[Principal], bool]) -> None:
        """Refuse the waiting polls of clients whose rights have changed."""
        for poll in list(self._waiting):
            if not is_current(poll.principal):
                poll.sign_out()

    @property
    def routes(self) -> Routes:
        """The routes of polls."""
        return {"/updates": {"GET": self.get_updates}}

    def get_updates(self, request: Request) -> Response | Deferred[Response]:
        """``GET /updates?streams=&after=&history=&wait=25``.

        :raises Refused: 400 for an invalid subscription, 503 if there are too many viewers.
        """
        subscription = request.subscription()
        wait = _wait(request.query.get("wait"))
        matches = self._state.roster.matches(subscription.selection)
        client = request.client.group
        answer = partial(self._answer, subscription, wait, client, request.principal)
        return when_matched(self._hub.slices, matches, answer, client)

    def _answer(
        self, subscription: Subscription, wait: float, client: str, principal: Principal
    ) -> Response | Deferred[Response]:
        cursor = self._cursor(subscription)
        if cursor is None:
            return self._anew(subscription)
        news = catchup.since(self._state, cursor, subscription.selection)
        if news.updates:
            return self._all(subscription, news)
        seat = self._hub.seats.offer(client, linked=False)
        return self._later(subscription, cursor, wait, seat, principal)

    def _cursor(self, subscription: Subscription) -> Cursor | None:
        """Return the cursor of a client that resumes, None if it begins anew."""
        after, selection = subscription.after, subscription.selection
        cursor, resumed = catchup.begin(self._state, after, selection)
        return replace(cursor, backlog=None) if resumed else None

    def _anew(self, subscription: Subscription) -> Response:
        """Answer with the whole backlog, because a position cannot identify the rest of a backlog."""
        state = self._state
        # At the current revision, because all descriptions and health are added below.
        cursor = replace(catchup.start(state, subscription.history), revision=state.revision)
        texts, pinned = self._backlog(cursor, subscription.selection)
        found = joined(texts, poll_opening(state.head, False), b"],")
        return _response(chain(found, self._about(subscription), (b"\n",)), state.head, pinned)

    def _backlog(self, cursor: Cursor, selection: Selection) -> tuple[Iterator[bytes], int]:
        """Return the texts of a backlog, and how many updates they keep alive until they are made."""
        if cursor.backlog and cursor.backlog.is_newest:
            updates = catchup.since(self._state, cursor, selection).updates
            return map(v1_update, updates), len(updates)
        return self._steps(cursor, selection, self._state.head), 0

    def _steps(self, cursor: Cursor, selection: Selection, until: Position) -> Iterator[bytes]:
        """Yield the texts of a long backlog up to a position, with an empty text after each step.

        Each step reads the log when it is asked for.  So a client that does not read keeps no updates
        alive.  It may miss those that are dropped meanwhile, as if it had asked later.
        """
        more = True
        while more:
            answer = catchup.since(self._state, cursor, selection)
            yield from (v1_update(update) for update in answer.updates if update.at <= until)
            cursor = replace(cursor, at=answer.at)
            more = answer.more and answer.at < until
            if more:
                yield b""

    def _all(self, subscription: Subscription, answer: Answer) -> Response:
        """Answer with the updates that the client missed, and the health of all selected streams."""
        texts = map(v1_update, answer.updates)
        parts, at = poll_answer(answer, texts, self._about(subscription, answer.gone))
        return _response(chain(parts, (b"\n",)), at)

    def _about(self, subscription: Subscription, gone: Iterable[str] = ()) -> Iterator[bytes]:
        return overview(self._state, subscription.selection, gone=gone)

    def _later(
        self,
        subscription: Subscription,
        cursor: Cursor,
        wait: float,
        seat: Seat,
        principal: Principal,
    ) -> Deferred[Response]:
        poll = Poll(self._hub, principal)
        asked_at = self._now()
        at_end = self._clock.callLater(wait, poll.lose)
        self._waiting.add(poll)
        self.waited += 1
        self._hub.seats.take(seat)

        def end(result: bytes) -> bytes:
            self._waiting.discard(poll)
            self._hub.seats.leave(seat)
            if at_end.active():
                at_end.cancel()
            return result

        def answer(data: bytes) -> Response:
            self._hub.leave(poll)
            if self._cursor(subscription) is None:  # its streams were lost while it waited
                return self._anew(subscription)
            if data:
                return _response(data + b"\n", poll.cursor.at)
            # Updates since the last flush, which this poll may not have seen.
            news = catchup.since(self._state, cursor, subscription.selection)
            since = asked_at - BETWEEN
            changed = catchup.changed_since(self._state, since, subscription.selection)
            if news.updates or news.gone or changed:
                return self._all(subscription, news)
            return Response(204, b"", {"Streamd-Position": str(news.at)})

        self._hub.join(poll, subscription, POLL, asked_at, client=seat.client)
        return poll.answered.addBoth(end).addCallback(answer)


def _response(body: bytes | Iterator[bytes], at: Position, updates: int = 0) -> Response:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return Response(200, body, {**headers, "Streamd-Position": str(at)}, updates)


def _wait(text: str | None) -> float:
    try:
        wait = DEFAULT_WAIT if text is None else float(text)
    except ValueError:
        wait = math.nan
    if not 0 <= wait <= MAX_WAIT:
        raise Refused(400, "bad-wait", f"wait: expected 0 to {MAX_WAIT:g} seconds")
    return wait
