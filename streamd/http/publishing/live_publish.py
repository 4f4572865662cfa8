"""Publishing on a WebSocket: ``publish`` messages of ``streamd.v1``, each answered with a ``receipt``.

A client needs the same rights as for ``POST``.  A page also needs an allowed origin.  The rights of
the client are checked again for each message.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from streamd.core.errors import Refused
from streamd.core.rights import Rights, no_right
from streamd.core.update import Draft, Update, check_name, check_time
from streamd.core.values import from_json
from streamd.http.access.access import Access
from streamd.http.access.origins import Right
from streamd.http.access.principal import Principal
from streamd.http.access.rules import Rules
from streamd.http.publishing.publish import KEY, Publisher
from streamd.http.request import Request
from streamd.journals.journal import Key
from streamd.wire.requests import Publish
from streamd.wire.v1 import v1_message

MAX_PUBLISHES = 64
"""The most ``publish`` messages of one connection that wait for their receipts: 4 MiB."""

_REASONS = {
    "foreign-origin": "pages of this origin may not publish here",
    "no-right": "publishing is not allowed with these credentials",
}
"""What a connection is told that may not publish, by the code of its refusal.  The whole text would be
kept for each viewer."""

_NEEDS_TOKEN = "publishing needs a token in the handshake, one of [access] publish in streamd.toml"


class Admission(NamedTuple):
    """The publisher on a connection, by its handshake.

    :ivar principal: the client; None if it may not publish.
    :ivar code: the code of the refusal, if it may not.
    :ivar rules: the rules that let a client without credentials publish; None if its credentials
        allow it.
    """

    principal: Principal | None
    code: str = ""
    rules: Rules | None = None


NO_ADMISSION = Admission(None, "no-token")


@lru_cache(maxsize=16)
def _refused(code: str) -> Admission:
    """Return the same object for all viewers that may not publish."""
    return Admission(None, code)


class PendingReceipt:
    """The answer to one ``publish`` message.

    :ivar text: the message; empty until the journal has answered.
    """

    __slots__ = ("text",)

    def __init__(self) -> None:
        self.text = b""


class LivePublisher:
    """Publishes the updates of ``publish`` messages."""

    _log = Logger()

    def __init__(self, access: Access, publisher: Publisher) -> None:
        self._access = access
        self._publisher = publisher

    def admit(self, request: Request) -> Admission:
        """Return the publisher on the connection that a handshake begins.

        :param request: the handshake, with its principal.
        """
        principal, rules = request.principal, self._access.rules
        try:
            if not principal.is_known:
                return Admission(self._access.check_change(request, Right.PUBLISH), rules=rules)
            rules.origins.check_page(request, Right.PUBLISH)
        except Refused as refused:
            return _refused(refused.code)
        return Admission(principal, rules=rules if "origin" in request.headers else None)

    def publish(self, admission: Admission, said: Publish, text: bytes) -> Deferred[bytes]:
        """Publish the updates of a message, all or none.

        :param text: the message, for its idempotency key.
        :returns: fires with the receipt once the updates are in the journal, or were refused.
        """
        return Deferred.fromCoroutine(self._receipt(admission, said, text))

    async def _receipt(self, admission: Admission, said: Publish, text: bytes) -> bytes:
        fields: dict[str, Any] = {} if said.key is None else {"key": said.key}
        try:
            fields |= _told(await self._publish(admission, said, text))
        except Exception as error:
            fields["error"] = self._explain(error)
        return v1_message("receipt", fields).text

    def _publish(
        self, admission: Admission, said: Publish, text: bytes
    ) -> Deferred[Sequence[Update]]:
        publisher = self._publisher_of(admission)
        self._publisher.check_rate(publisher)
        drafts = _drafts(said, publisher.rights, self._publisher.known)
        return self._publisher.append(drafts, _key(said, text, publisher))

    def _publisher_of(self, admission: Admission) -> Principal:
        """Return the client that publishes, with its present rights.

        :raises Refused: 401 or 403.
        """
        principal, code, rules = admission
        if principal is None:
            status = 403 if code in _REASONS else 401
            raise Refused(status, code, _REASONS.get(code, _NEEDS_TOKEN))
        now = self._access.rules
        if rules is not None and (rules.local, rules.origins) != (now.local, now.origins):
            message = "the configuration has changed; connect again to publish"
            raise Refused(401, "signed-out", message)
        if principal.kind == "local":
            return principal
        rights = self._access.current_rights(principal)
        if not rights.publish:
            raise no_right("publishing")
        return principal._replace(rights=rights)

    def _explain(self, error: Exception) -> Mapping[str, Any]:
        """Return the members that tell the client of an error."""
        if not isinstance(error, Refused):
            self._log.failure("a publish on a WebSocket failed")
            error = Refused(500, "internal", "streamd failed on this; its log says why")
        index = {"index": error.index} if isinstance(error, BadUpdate) else {}
        return {"code": error.code, "message": error.message, **index}


class BadUpdate(Refused):
    """The whole message is refused because of one update.

    :ivar index: its place in the message, from 0.
    """

    def __init__(self, index: int, why: Refused) -> None:
        super().__init__(why.status, why.code, f"updates[{index}]: {why.message}")
        self.index = index


def _drafts(said: Publish, rights: Rights, known: Container[str]) -> list[Draft]:
    """Return the updates of a message.

    :param known: names of streams, which need no check.
    :raises BadUpdate: if one of them has no valid name, value or time, or must not be published.
    """
    drafts: list[Draft] = []
    try:
        for update in said.updates:
            if update.stream not in known:
                check_name(update.stream)
            if not rights.publish.all:
                rights.check_publish(update.stream)
            check_time(update.time)
            drafts.append(Draft(update.stream, from_json(update.value), update.time))
    except Refused as refused:
        raise BadUpdate(len(drafts), refused) from None
    return drafts


def _key(said: Publish, text: bytes, publisher: Principal) -> Key | None:
    if said.key is None:
        return None
    if not KEY.fullmatch(said.key):
        raise Refused(400, "bad-key", "key: expected 1 to 255 visible ASCII characters")
    return Key(said.key, hashlib.sha256(b"publish\0" + text).digest(), publisher.publisher)


def _told(updates: Sequence[Update]) -> Mapping[str, Any]:
    at = {"at": str(updates[-1].at)} if updates else {}
    return {**at, "seq": [update.seq for update in updates]}
