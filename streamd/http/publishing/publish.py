"""The HTTP requests that publish values and forget streams."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Container, Mapping, Sequence
from functools import partial

import msgspec
from twisted.internet.defer import Deferred, succeed

from streamd.core.errors import Refused, shorten
from streamd.core.state import State
from streamd.core.type_errors import reworded
from streamd.core.update import Draft, Update, check_name, check_time
from streamd.core.values import from_json, from_text
from streamd.http.access.access import Access
from streamd.http.access.origins import Right
from streamd.http.access.principal import Principal
from streamd.http.rates import Rates
from streamd.http.request import NAME, NeedsBody, Request, Response, Routes, json_response
from streamd.journals.journal import Journal, Key
from streamd.wire.requests import parse_json_object

KEY = re.compile(r"[\x21-\x7e]{1,255}")
"""Matches an idempotency key."""

_JSON_TYPE = re.compile(r"application/(?:[a-z0-9.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
_NOT_FINITE = re.compile(rb"\s*[+-]?(?:nan|inf|infinity)\s*", re.IGNORECASE)


class Publisher:
    """Answers the requests that publish: checks values and appends them to the journal.

    :ivar known: names of streams that exist or have existed, so they need no check.
    """

    def __init__(
        self, access: Access, journal: Journal, state: State, rates: Rates | None = None
    ) -> None:
        """:param rates: decides whether publishes with one token come too fast."""
        self._access = access
        self._journal = journal
        self._state = state
        self.known: Container[str] = state.streams
        self._rates = rates
        self.published = 0

    @property
    def routes(self) -> Routes:
        return {
            "/state": {"PATCH": self.patch_state},
            f"/streams/{NAME}": {"POST": self.post_stream, "DELETE": self.delete_stream},
            f"/widgets/{NAME}": {"POST": self.post_widget},
        }

    def post_stream(self, request: Request, name: str) -> NeedsBody:
        """``POST /streams/NAME``: publish one value; 201 once it is in the journal.

        :raises Refused: 400, 401, 403, 409, 413, 415 or 429.
        """
        publisher = self._publisher(request)
        _check_kind(request.headers)
        publisher.rights.check_publish(check_name(name))
        time = _time(request.headers)

        def answer(updates: Sequence[Update]) -> Response:
            return json_response(msgspec.Raw(f'{{"stream":"{name}",{receipt(updates[0])}}}'), 201)

        def publish(body: bytes) -> Deferred[Response]:
            value = read_value(body, request.headers.get("content-type", ""))
            return self.append(
                [Draft(name, value, time)], _key(request, body, publisher)
            ).addCallback(answer)

        return NeedsBody(publish, again=partial(self.check_rate, publisher))

    def patch_state(self, request: Request) -> NeedsBody:
        """``PATCH /state``: publish several values, all or none."""
        publisher = self._publisher(request)
        _check_kind(request.headers)
        time = _time(request.headers)

        def answer(updates: Sequence[Update]) -> Response:
            at = updates[-1].at if updates else self._state.head
            streams = ",".join([f'"{u.stream}":{{{receipt(u)}}}' for u in updates])
            return json_response(msgspec.Raw(f'{{"at":"{at}","streams":{{{streams}}}}}'))

        def publish(body: bytes) -> Deferred[Response]:
            drafts = _drafts(body, time, self.known)
            publisher.rights.check_publish(*[draft.stream for draft in drafts])
            return self.append(drafts, _key(request, body, publisher)).addCallback(answer)

        return NeedsBody(publish)

    def delete_stream(self, request: Request, name: str) -> Deferred[Response]:
        """``DELETE /streams/NAME``: forget a stream."""
        publisher = self._publisher(request)
        publisher.rights.check_publish(check_name(name))
        key = _key(request, b"", publisher)
        if (
            key is None and self._state.get(name) is None
        ):  # with a key it may have been deleted before
            raise Refused(404, "unknown-stream", f"there is no stream {shorten(name)}")
        return self.append([Draft(name, None)], key).addCallback(lambda updates: Response(204))

    def post_widget(self, request: Request, name: str) -> NeedsBody:
        """``POST /widgets/NAME``: publish a value in the form that the dashboard Smashing accepts."""
        self._access.rules.origins.check_page(
            request, Right.PUBLISH
        )  # the token may be in the body
        _check_kind(request.headers)
        check_name(name)

        def publish(body: bytes) -> Deferred[Response]:
            fields = parse_json_object(body)
            token = fields.pop("auth_token", None)
            token = token if isinstance(token, str) else None
            publisher = self._publisher(request, token)
            publisher.rights.check_publish(name)
            value = fields["current"] if set(fields) == {"current"} else fields
            # Encoded again, because from_json checks every value that comes in.
            draft = Draft(name, from_json(msgspec.json.encode(value)))
            return self.append([draft], _key(request, body, publisher)).addCallback(
                lambda _: Response(204)
            )

        return NeedsBody(publish, from_anyone=True)

    def _publisher(self, request: Request, token: str | None = None) -> Principal:
        """Return the client that publishes.

        :param token: a token from the body.
        :raises Refused: 401 or 403; see :meth:`Access.check_change`.  429 if publishes come too fast.
        """
        publisher = self._access.check_change(request, Right.PUBLISH, token)
        self.check_rate(publisher)
        return publisher

    def check_rate(self, publisher: Principal) -> None:
        """Refuse a publish if too many come with its token.

        :raises Refused: 429.
        """
        if self._rates is not None:
            self._rates.check_publisher(publisher.publisher)

    def append(self, drafts: Sequence[Draft], key: Key | None) -> Deferred[Sequence[Update]]:
        """Append the drafts of a client, and count them.

        :raises Refused: 429 if there is no room for them, unless ``key`` was committed before.
        """
        if not drafts:
            return succeed([])
        try:
            appended = self._journal.append(drafts, key)
        except Refused as refused:
            return self._repeat(key, refused)
        self.published += len(drafts)
        return appended

    def _repeat(self, key: Key | None, refused: Refused) -> Deferred[Sequence[Update]]:
        """Answer a request that was refused for lack of room, if its key was committed before.

        Such a repetition needs no room.  Any other request stays refused.
        """
        if key is None:
            raise refused

        def answer(updates: Sequence[Update] | None) -> Sequence[Update]:
            if updates is None:
                raise refused
            return updates

        return self._journal.receipt(key).addCallback(answer)


def _check_kind(headers: Mapping[str, str]) -> None:
    """Refuse compressed and multipart bodies.

    The type of a URL-encoded form is allowed, because ``curl -d`` sends it with every body.
    """
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "bad-encoding", "a body has to be sent as it is, uncompressed")
    if headers.get("content-type", "").lower().startswith("multipart/"):
        message = "a form is no value; with curl send the value itself: curl -d 42"
        raise Refused(415, "bad-type", message)


def read_value(body: bytes, content_type: str) -> bytes:
    """Return the value of a body as JSON text.

    A body that is not JSON becomes a JSON string, unless its content type is JSON. Numbers that
    JSON cannot express (NaN, Infinity, 1e999) are refused, not published as strings.

    :raises Refused: 400 or 413.
    """
    if not body:
        raise Refused(
            400, "bad-value", "the body is empty; it has to be the value, as JSON or text"
        )
    try:
        return from_json(body)
    except Refused as refused:
        if refused.status != 400 or _JSON_TYPE.fullmatch(content_type) or _is_almost_json(body):
            raise
    return from_text(body)


def _is_almost_json(body: bytes) -> bool:
    """Return True for JSON that streamd refuses because of a number, a surrogate or its depth."""
    if _NOT_FINITE.fullmatch(body):
        return True
    try:
        # Numbers are only recognised (len): Python refuses to convert more than 4300 digits.
        json.loads(body, parse_int=len, parse_float=len, parse_constant=len)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def _drafts(body: bytes, time: float | None, known: Container[str]) -> list[Draft]:
    """Return the updates in the body of ``PATCH /state``.

    :param known: names of streams, which need no check.
    """
    try:
        members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except RecursionError:
        raise Refused(400, "bad-json", "the body is nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Refused(
            400, "bad-json", f"expected a JSON object of values: {reworded(error)}"
        ) from None
    drafts = []
    for name, raw in members.items():
        if name not in known:
            check_name(name)
        try:
            drafts.append(Draft(name, from_json(raw), time))
        except Refused as refused:
            raise Refused(refused.status, refused.code, f"{name}: {refused.message}") from None
    return drafts


def receipt(update: Update) -> str:
    """Return the JSON members ``seq`` and ``at`` of an update."""
    at = update.at  # written here: a call for each update of a batch takes longer
    return f'"seq":{update.seq},"at":"{at.ms}-{at.n}"'


def _time(headers: Mapping[str, str]) -> float | None:
    text = headers.get("streamd-time")
    if text is None:
        return None
    try:
        time = float(text)
        check_time(time)
    except (ValueError, Refused):
        message = "Streamd-Time: expected seconds since 1970-01-01, UTC"
        raise Refused(400, "bad-time", message) from None
    return time


def _key(request: Request, body: bytes, publisher: Principal) -> Key | None:
    text = request.headers.get("idempotency-key")
    if text is None:
        return None
    if not KEY.fullmatch(text):
        raise Refused(400, "bad-key", "Idempotency-Key: expected 1 to 255 visible ASCII characters")
    said = (request.method, request.path, request.headers.get("streamd-time", ""))
    digest = hashlib.sha256("\0".join(said).encode() + b"\0" + body).digest()
    return Key(text, digest, publisher.publisher)
