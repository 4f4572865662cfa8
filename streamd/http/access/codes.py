"""Codes: the screens that wait for an administrator to let them in.  They are records of the journal.

As in RFC 8628, a screen shows a short code and keeps a long secret.  The code only names the screen
to an administrator, and opens nothing by itself.  The journal has the hashes of both.  A node makes
the code of a screen from its secret, which the screen sends with each request.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from contextlib import suppress

import msgspec
from twisted.internet.defer import Deferred, DeferredLock

from streamd.core.errors import Refused
from streamd.core.record import read_record
from streamd.http.access.client_address import ClientAddress
from streamd.http.access.grants import GRANTS, HASH, Grant, Grants, hash_of
from streamd.journals.journal import Away, Journal

CODES = "codes"
"""The kind of records, by the hashes of the screens' secrets."""

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""The letters of codes: none looks like another one or a digit, and they make no words (RFC 8628,
section 6.1)."""

LENGTH = 6
"""The letters of a code: there are 64 million codes, and at most :data:`MAX_WAITING` of them count."""

LASTS = 600.0
"""Seconds for which a code counts: long enough to walk from the screen to a computer."""

MAX_WAITING = 100
"""The most screens that wait, so that the journal does not fill with those of strangers."""

MAX_OF_CLIENT = 3
"""The most screens of one address that wait, so that one address does not take all places."""

READ_EVERY = 1.0
"""Seconds between two looks at the records, however many screens ask."""


class Waiting(msgspec.Struct, frozen=True):
    """A screen that waits.

    :ivar hash: the hash of its secret, as :func:`~streamd.http.access.grants.hash_of` makes it.
    :ivar salt: a random text, from which its code is made; the next code has another one.
    :ivar code: the hash of its code with the salt.  There are too few codes to withstand a search: the
        hash only hides them from people who see the journal or a backup.
    :ivar group: the text under which its address is counted.
    :ivar address: its address, for the administrator.
    :ivar since: when it got its code, in seconds since the epoch.
    """

    hash: str
    salt: str
    code: str
    group: str
    address: str
    since: float

    @property
    def until(self) -> float:
        """When the code ends, in seconds since the epoch."""
        return self.since + LASTS

    def shows(self, code: str) -> bool:
        """Return whether this is the code of the screen."""
        return hmac.compare_digest(self.code, hash_of(self.salt + code))


class Codes:
    """The screens that wait at any node.

    At most :data:`MAX_WAITING` screens wait, and :data:`MAX_OF_CLIENT` of one address.  Requests
    are carried out one after the other, so each node keeps these bounds.  Two nodes that get
    requests at the same time may exceed them by one screen each.
    """

    def __init__(self, journal: Journal, grants: Grants, now: Callable[[], float]) -> None:
        """:param now: returns seconds since the epoch."""
        self._journal = journal
        self._grants = grants
        self._now = now
        self._lock = DeferredLock()
        self._known: dict[str, Waiting] = {}  # by the hashes of their secrets
        self._shown: dict[str, str] = {}  # the same hashes -> the codes that this node has told
        self._read_at = 0.0

    def begin(self, secret: str, client: ClientAddress) -> Deferred[tuple[Waiting, str]]:
        """Return a screen and its code; a new screen gets a code.

        :raises Refused: 429 if too many screens of its address wait, 503 if too many screens wait
            or the journal is away.
        """
        return self._lock.run(self._begin, secret, client)

    def approve(self, code: str, name: str, wall: str) -> Deferred[tuple[Waiting, Grant]]:
        """Make the grant of a screen; its code ends.

        :raises Refused: 404 if no screen has this code, 409 if another screen has this name, or 503 if
            the journal is away.
        """
        return self._lock.run(self._approve, code, name, wall)

    def listing(self) -> Deferred[list[tuple[Waiting, str]]]:
        """Return the screens that wait and their codes, the oldest first.

        A code is empty if the screen has only asked other nodes.

        :raises Refused: 503 if the journal is away.
        """
        return self._lock.run(self._listing)

    async def _begin(self, secret: str, client: ClientAddress) -> tuple[Waiting, str]:
        await self._read()
        hash = hash_of(secret)
        known = self._known.get(hash)
        if known is not None:
            code = self._shown[hash] = _code_of(secret, known.salt)
            return known, code
        if len(self._known) >= MAX_WAITING:
            text = f"{MAX_WAITING} screens wait already"
            raise Refused(503, "too-many-codes", text, self._wait())
        of_client = [each for each in self._known.values() if each.group == client.group]
        if len(of_client) >= MAX_OF_CLIENT:
            text = f"{MAX_OF_CLIENT} screens of this address wait already"
            raise Refused(429, "too-many-codes", text, self._wait())
        if self._journal.shared and hash[:HASH] in await self._journal.records(GRANTS):
            # Another node has let it in, and this node has read that the code has ended, but not yet
            # that there is a grant.
            raise Refused(503, "just-paired", "this screen was let in just now", READ_EVERY)
        salt, code = self._draw(secret)
        about = (client.group, str(client), self._now())
        waiting = Waiting(hash, salt, hash_of(salt + code), *about)
        await self._journal.put(CODES, hash, msgspec.json.encode(waiting), LASTS)
        self._known[hash], self._shown[hash] = waiting, code
        return waiting, code

    async def _approve(self, code: str, name: str, wall: str) -> tuple[Waiting, Grant]:
        await self._read(anew=True)
        waiting = self._showing(code)
        if waiting is None:
            message = "no screen shows this code, or not any more: codes last ten minutes"
            raise Refused(404, "unknown-code", message)
        grant = await self._grants.make_for(waiting.hash, name, wall)
        self._known.pop(waiting.hash, None)
        with suppress(Away):  # the screen has its grant, and a code that stays gives no second one
            await self._journal.put(CODES, waiting.hash, b"", 0)
        return waiting, grant

    async def _listing(self) -> list[tuple[Waiting, str]]:
        await self._read(anew=True)
        waiting = sorted(self._known.values(), key=lambda waiting: waiting.since)
        return [(each, self._shown.get(each.hash, "")) for each in waiting]

    async def _read(self, anew: bool = False) -> None:
        """Read the codes, unless they were read just now."""
        now = self._now()
        if anew or not 0 <= now - self._read_at < READ_EVERY:
            records = await self._journal.records(CODES)
            found = filter(None, (read_record(each, Waiting) for each in records.values()))
            self._known = {waiting.hash: waiting for waiting in found}
            self._read_at = now
        self._known = {hash: each for hash, each in self._known.items() if each.until > now}
        self._shown = {hash: code for hash, code in self._shown.items() if hash in self._known}

    def _showing(self, code: str) -> Waiting | None:
        """Return the screen with a code; None if there is none."""
        shown = [each for each in self._known.values() if each.shows(code)]
        return shown[0] if shown else None

    def _draw(self, secret: str) -> tuple[str, str]:
        """Return a salt and the code that it gives, which no other screen has."""
        while True:
            salt = secrets.token_hex(8)
            code = _code_of(secret, salt)
            if self._showing(code) is None:
                return salt, code

    def _wait(self) -> float:
        """Return the seconds until the oldest code ends."""
        return max(1.0, min(each.until for each in self._known.values()) - self._now())


def _code_of(secret: str, salt: str) -> str:
    """Return the code of a screen: letters that only those who know its secret can compute."""
    number = int.from_bytes(hmac.digest(secret.encode(), salt.encode(), hashlib.sha256), "big")
    # 256 bits are so many that no letter is more likely than another one.
    return "".join(ALPHABET[number // len(ALPHABET) ** n % len(ALPHABET)] for n in range(LENGTH))
