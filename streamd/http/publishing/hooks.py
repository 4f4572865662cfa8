"""Webhooks: other programs report events, each in its own form (``[hooks.NAME]``).

A sender that got no answer sends again, perhaps hours later and to another node.  So each hook keeps
the ids of its newest deliveries as a source's cursor: the journal stores it in the step of the updates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from streamd.core.errors import Refused, shorten
from streamd.core.update import Draft, Update
from streamd.http.access.access import Access
from streamd.http.access.credentials import HOOK_KEY, HOOKS, secrets_in
from streamd.http.access.origins import Right
from streamd.http.publishing.delivery import Hook, read_document
from streamd.http.publishing.publish import Publisher, receipt
from streamd.http.publishing.senders import Sent, is_secret
from streamd.http.request import NAME, NeedsBody, Request, Response, Routes, json_response
from streamd.journals.journal import Journal, Outrun, SourceCursor

REMEMBERED = 500
"""How many deliveries of a hook are known by their ids: 8 KiB in the journal."""

_ATTEMPTS = 10
"""How often a delivery is tried while other nodes take deliveries of the same hook."""


class Hooks:
    """Answers the requests of senders."""

    _log = Logger()

    def __init__(
        self, access: Access, publisher: Publisher, journal: Journal, now: Callable[[], float]
    ) -> None:
        """:param publisher: counts what was published.

        :param now: returns seconds since the epoch.
        """
        self._access = access
        self._publisher = publisher
        self._journal = journal
        self._now = now
        self._delivered: dict[str, Delivered] = {}

    @property
    def routes(self) -> Routes:
        return {f"{HOOKS}{NAME}": {"POST": self.post_hook}}

    def post_hook(self, request: Request, name: str) -> NeedsBody:
        """``POST /hooks/NAME``: publish the values in a delivery.

        :raises Refused: 400, 401, 403, 404, 413, 415, 429 or 503.
        """
        self._access.rules.origins.check_page(request, Right.PUBLISH)
        hook = self._access.rules.hooks.get(name)
        if hook is None:
            raise Refused(404, "unknown-hook", f"there is no hook {shorten(name)}")
        given = secrets_in(request)
        is_proven = any(is_secret(each, hook.secret) for each in given)
        if not is_proven and not hook.sender.signature:
            for each in given:
                self._access.guesses.wrong(request.client.group, each)
            way = f"Authorization: Bearer SECRET, or ?{HOOK_KEY}=SECRET"
            code = "bad-token" if given else "no-token"
            raise Refused(401, code, f"expected the secret of hooks.{name}: {way}")

        def take(body: bytes) -> Response | Deferred[Response]:
            if not is_proven:
                self._check_signature(hook, request, given, body)
            return self._take(hook, request, read_document(request, body))

        return NeedsBody(take, from_anyone=not is_proven)

    def _check_signature(
        self, hook: Hook, request: Request, given: Sequence[str], body: bytes
    ) -> None:
        """Check the signature of a delivery, and count a wrong one as a guess.

        A sender with an old secret makes another signature each time.  So they count as one guess.

        :raises Refused: 401.
        """
        try:
            hook.sender.check(hook.secret, Sent(request.headers, body, self._now()))
        except Refused as refused:
            if refused.code == "bad-signature":
                for each in given or (request.path,):
                    self._access.guesses.wrong(request.client.group, each)
            raise

    def _take(self, hook: Hook, request: Request, document: Any) -> Response | Deferred[Response]:
        ignored = hook.ignores(request.headers, document)
        if ignored:
            return json_response({"ignored": ignored})
        drafts, errors = hook.drafts(document)
        for error in errors:
            self._log.warn("hooks.{name}: {error}", name=hook.name, error=error.message)
        if not drafts:
            if errors:
                raise errors[0]
            return json_response({"ignored": "when"})

        def answer(updates: Sequence[Update] | None) -> Response:
            if updates is None:
                return json_response({"ignored": "repeated"})
            told = {u.stream: msgspec.Raw(f"{{{receipt(u)}}}".encode()) for u in updates}
            refused = {"refused": [error.message for error in errors]} if errors else {}
            return json_response({"at": str(updates[-1].at), "streams": told, **refused})

        return self._append(hook, drafts, hook.sender.id(request.headers, document)).addCallback(
            answer
        )

    def _append(
        self, hook: Hook, drafts: Sequence[Draft], id: str
    ) -> Deferred[Sequence[Update] | None]:
        """Append the updates of a delivery.

        :param id: identifies it; empty if the sender tells no id.
        :returns: None if a delivery with this id was appended before.
        """
        if not id:
            appended: Deferred[Any] = self._journal.append(drafts)
        else:
            delivered = self._delivered.setdefault(hook.name, Delivered(hook.name, self._journal))
            appended = delivered.append(drafts, id)
        return appended.addCallback(self._count)

    def _count(self, updates: Sequence[Update] | None) -> Sequence[Update] | None:
        self._publisher.published += len(updates or ())
        return updates


class Delivered:
    """The deliveries of one hook: appends each once, even if it arrives at several nodes."""

    def __init__(self, name: str, journal: Journal) -> None:
        self._source = f"hook {name}"  # no source has a space in its name
        self._journal = journal
        self._lock = DeferredLock()
        self._place: str | None = None

    def append(self, drafts: Sequence[Draft], id: str) -> Deferred[Sequence[Update] | None]:
        """Append the updates of a delivery, unless a delivery with this id was appended before.

        :returns: the updates; None if the delivery was appended before.
        """
        mark = hashlib.sha256(id.encode("utf-8", "replace")).hexdigest()[:16]
        return self._lock.run(lambda: Deferred.fromCoroutine(self._append(drafts, mark)))

    async def _append(self, drafts: Sequence[Draft], mark: str) -> Sequence[Update] | None:
        for _ in range(_ATTEMPTS):
            marks = (self._place or "").split()
            if mark in marks:
                return None
            place = " ".join([*marks, mark][-REMEMBERED:])
            try:
                cursor = SourceCursor(self._source, self._place, place)
                updates = await self._journal.append(drafts, cursor=cursor)
            except Outrun:  # another node took one, or this one has just started
                self._place = await self._journal.place(self._source)
            else:
                self._place = place
                return updates
        raise Refused(503, "busy", "other deliveries of this hook came first; send it again", 1.0)
