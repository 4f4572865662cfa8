"""The HTTP requests that read: the state, the streams, or one stream with its history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from streamd.core.errors import Refused, shorten
from streamd.core.histories.period import Period
from streamd.core.quota import Share
from streamd.core.selection import Selection
from streamd.core.state import State
from streamd.core.stream import Stream
from streamd.core.update import Update
from streamd.http.reading.badges import badge_response, split_name
from streamd.http.reading.history import PastAnswers, PeriodLook, ThinHistory, ThinLook
from streamd.http.reading.matched import when_matched
from streamd.http.reading.periods import csv_of, json_of
from streamd.http.request import NAME, Request, Response, Routes, joined
from streamd.reactor.slices import Slices
from streamd.wire.encoding import member
from streamd.wire.plain import plain_update
from streamd.wire.requests import POINTS, parse_history, parse_period, parse_points

_JSON = "application/json"


class Reader:
    """Answers the requests for the state, for the streams, and for one stream."""

    def __init__(
        self, state: State, slices: Slices, now: Callable[[], float], share: Share | None = None
    ) -> None:
        """:param now: returns seconds since the epoch.

        :param share: the part for one client address of what may be computed at a time.
        """
        self._state = state
        self._now = now
        self._slices = slices
        self._past = PastAnswers(slices, share)

    @property
    def routes(self) -> Routes:
        return {
            "/state": {"GET": self.get_state},
            "/streams": {"GET": self.get_streams},
            f"/streams/{NAME}": {"GET": self.get_stream},
        }

    def get_state(self, request: Request) -> Response | Deferred[Response]:
        """``GET /state?streams=``: ``{NAME: value, …}``; the position is the ETag.

        :raises Refused: 400 for an invalid selection.
        """
        selection = request.subscription().selection

        def answer() -> Response:
            headers = self._position_headers(request)
            if headers["ETag"] in request.headers.get("if-none-match", ""):
                return Response(304, b"", headers)
            updates = self._state.serialize(selection)
            body = _object(map(plain_update, updates))
            return Response(200, body, headers | {"Content-Type": _JSON}, len(updates))

        return self._when_matched(request, selection, answer)

    def get_streams(self, request: Request) -> Response | Deferred[Response]:
        """``GET /streams?streams=``: description, newest update and health of every stream.

        :raises Refused: 400 for an invalid selection.
        """
        selection = request.subscription().selection

        def answer() -> Response:
            streams = self._state.selected(selection)
            members = (member(s.name, _encode(_about(s))) for s in streams)
            opening = b'{"at":"%b","streams":' % bytes(self._state.head)
            headers = {"Streamd-Position": str(self._state.head), "Content-Type": _JSON}
            return Response(200, _object(members, opening, b"}"), headers)

        return self._when_matched(request, selection, answer)

    def _when_matched(
        self, request: Request, selection: Selection, answer: Callable[[], Response]
    ) -> Response | Deferred[Response]:
        matches = self._state.roster.matches(selection)
        return when_matched(self._slices, matches, answer, request.client.group)

    def get_stream(self, request: Request, name: str) -> Response | Deferred[Response]:
        """``GET /streams/NAME?history=N&points=M`` or ``?from=&to=``: one stream, and its past.

        ``NAME.txt`` and ``NAME.svg`` are its value as text and as a badge, unless a stream that the
        client may read has this name.

        :raises Refused: 403 if the client may not read it, 404 if it does not exist. 400 for an
            invalid history or period, 503 if too many histories are being computed.
        """
        shown, form = split_name(name)
        # Whether a stream exists that it may not read must not change what a client gets.
        if form and (name not in request.rights.view or self._state.get(name) is None):
            return badge_response(self._visible(request, shown), form, request, self._now())
        stream = self._visible(request, name)
        about = {"name": name, **_about(stream)}
        headers = {"Streamd-Position": str(self._state.head), "Content-Type": _JSON}
        if "from" in request.query or "to" in request.query:
            return self._get_period(request, stream, about, headers)
        count, points = request.query.get("history"), request.query.get("points")
        if count is None and points is None:
            return Response(200, _encode(about) + b"\n", headers)
        length = 0 if points is not None and not count else parse_history(count or "")
        if stream.silences:
            about["silences"] = list(stream.silences)
        if points is None:
            newest = list(_newest(stream, length))
            newest.reverse()
            return _with_history(about, newest, headers)

        def answer(history: ThinHistory) -> Response:
            thinned = {"thinned": True} if history.thinned else {}
            return _with_history(about | thinned, history.updates, headers)

        look = ThinLook(stream, length, parse_points(points))
        return self._past.ask(look, request.client.group).addCallback(answer)

    def _visible(self, request: Request, name: str) -> Stream:
        """Return a stream that the client may read."""
        request.rights.check_view(name)
        stream = self._state.get(name)
        if stream is None:
            raise Refused(404, "unknown-stream", f"there is no stream {shorten(name)}")
        return stream

    def _get_period(
        self, request: Request, stream: Stream, about: dict[str, Any], headers: dict[str, str]
    ) -> Deferred[Response]:
        begin, end = parse_period(request.query, self._now())
        most = parse_points(request.query.get("points", str(POINTS[1])))
        headers["Vary"] = "Accept"

        def answer(period: Period) -> Response:
            if "text/csv" in request.headers.get("accept", ""):
                headers["Content-Type"] = "text/csv; charset=utf-8"
                return Response(200, csv_of(period), headers, kept=look.size(period))
            body = json_of(about, end, period)
            return Response(200, body, headers, kept=look.size(period))

        look = PeriodLook(stream, begin, end, most)
        return self._past.ask(look, request.client.group).addCallback(answer)

    def _position_headers(self, request: Request) -> dict[str, str]:
        at, view = str(self._state.head), request.rights.view
        # A browser must not take the state that it read with other rights for this one.
        tag = at if view.all else f"{at}-{sha256(repr(view).encode()).hexdigest()[:16]}"
        return {"Streamd-Position": at, "ETag": f'"{tag}"', "Cache-Control": "no-cache"}


def _newest(stream: Stream, length: int) -> Iterator[Update]:
    updates = (update for update in reversed(stream.history) if update.value is not None)
    return islice(updates, length)


def _with_history(
    about: Mapping[str, Any], history: Sequence[Update], headers: Mapping[str, str]
) -> Response:
    opening = _encode(about)[:-1] + b',"history":['
    return Response(200, joined(map(_point, history), opening, b"]}\n"), headers, len(history))


def _point(update: Update) -> bytes:
    """Return ``{"seq", "at", "time", "value"}`` as JSON."""
    value = msgspec.Raw(update.value or b"null")
    return _encode({"seq": update.seq, "at": str(update.at), "time": update.time, "value": value})


def _about(stream: Stream) -> dict[str, Any]:
    newest = stream.newest
    word = stream.description.word(newest.value) if newest and newest.value else None
    return {
        **stream.description.public(),
        "seq": newest.seq if newest else 0,
        "at": str(newest.at) if newest else None,
        "time": newest.time if newest else None,
        "value": msgspec.Raw(newest.value) if newest and newest.value is not None else None,
        **({} if word is None else {"word": word}),
        "health": stream.current_health(),
    }


_encode = msgspec.json.encode


def _object(
    members: Iterable[bytes], opening: bytes = b"", closing: bytes = b""
) -> Iterator[bytes]:
    return joined(members, opening + b"{", b"}" + closing + b"\n")
