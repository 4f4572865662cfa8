"""Grants: the cookies of screens, links and administrators.  They are records of the journal.

A browser holds a random secret of 256 bits; the journal keeps only its hash.  Every node knows all
grants: it reads the records once a second if other nodes may write them.  A journal in memory forgets
them with the daemon.

The module is long because making, changing and reading grants share one copy of the records.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, Literal, TypeVar

import msgspec
from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from streamd.core.errors import Refused
from streamd.core.record import read_record
from streamd.journals.journal import Away, Journal
from streamd.reactor.timer import Timer

T = TypeVar("T")

GRANTS, SEEN, INSTANCE = "grants", "seen", "instance"
"""The kinds of records.

When a grant was last used is a record of its own: a node that notes it late cannot bring a grant back
that another node has just revoked.
"""

COOKIE, OF_HOST = "streamd-", "__Host-"
"""How the names of cookies begin.  A browser takes one with the second prefix from this host alone,
with TLS and for all paths (RFC 6265bis, section 4.1.3)."""

SESSION = "-admin"
"""How the names of cookies with an administrator's session end: a browser may be a screen as well."""

MAX_GRANTS = 2000
"""The most grants: twice the screens that are listed (:data:`streamd.hub.screens.MAX_SCREENS`)."""

TURN = 1.0
"""Seconds between two looks at the records and at the clock.  A right has to end within five."""

UNSEEN = 400 * 86400.0
"""Seconds for which the grant of a screen lasts after it was last seen.  Browsers keep no cookie longer
(RFC 6265bis, section 5.5)."""

NOTE_EVERY = 3600.0
"""Seconds between two records that a grant was seen."""

HASH = 16
"""Hexadecimal digits of the hash that are the id: 64 bits tell 2000 grants apart."""


class Grant(msgspec.Struct, frozen=True):
    """The right that a secret gives.  Times are in seconds since the epoch.

    :ivar hash: the SHA-256 of the secret, in hexadecimal.
    :ivar kind: ``screen``: a screen, which has its own name.  ``link``: a browser that opened a
        link.  ``admin``: the session of an administrator.
    :ivar name: the name of the screen, or of the link.
    :ivar wall: the wall that it may read.
    :ivar until: when it ends; None for a screen, see :data:`UNSEEN`.
    :ivar made: when it was made.
    :ivar owner: the hash of the token with which an administrator signed in: the session ends with
        the token.  Empty for other kinds.
    """

    hash: str
    kind: Literal["screen", "link", "admin"]
    name: str
    wall: str
    until: float | None
    made: float
    owner: str = ""

    @property
    def id(self) -> str:
        """The public name of the grant, by which it is revoked."""
        return self.hash[:HASH]


class KnownGrants:
    """The grants that this node knows.

    :ivar instance: the name of this log in the names of cookies: cookies ignore ports.  Empty before
        the records were read.
    :ivar loaded: whether the records were read.
    """

    def __init__(self, now: Callable[[], float] = lambda: 0.0) -> None:
        self.instance = ""
        self.loaded = False
        self._now = now
        self._known: dict[str, Grant] = {}
        self._seen: dict[str, float] = {}
        self._screens: Collection[str] = frozenset()

    @property
    def cookies(self) -> Collection[str]:
        """The names that the cookie of this daemon may have."""
        if not self.instance:
            return ()
        plain = f"{COOKIE}{self.instance}"
        names = (plain, plain + SESSION)
        return tuple(prefix + name for name in names for prefix in (OF_HOST, ""))

    def saw(self, grant: Grant) -> None:
        """Note that a grant is used."""

    def get(self, id: str) -> Grant | None:
        """Return the grant with an id; None if it does not exist or has ended."""
        grant = self._known.get(id)
        return grant if grant is not None and self.end_of(grant) > self._now() else None

    def find(self, secret: str) -> Grant | None:
        """Return the grant of a secret; None if it does not exist or has ended."""
        hash = hash_of(secret)
        grant = self.get(hash[:HASH])
        return grant if grant is not None and hmac.compare_digest(grant.hash, hash) else None

    def listing(self) -> list[Grant]:
        """Return all grants that have not ended, the oldest first."""
        return sorted(filter(None, map(self.get, list(self._known))), key=lambda grant: grant.made)

    def screens(self) -> Collection[str]:
        """Return the names of the screens that have a grant."""
        return self._screens

    def seen(self, grant: Grant) -> float:
        """Return when a grant was last used, within :data:`NOTE_EVERY`, in seconds since the epoch."""
        return max(grant.made, self._seen.get(grant.id, 0.0))

    def end_of(self, grant: Grant) -> float:
        """Return when a grant ends if it is not used any more, in seconds since the epoch."""
        return self.seen(grant) + UNSEEN if grant.until is None else grant.until


NO_GRANTS = KnownGrants()


class Grants(KnownGrants):
    """Makes, changes and revokes grants.

    :ivar changed: called when a grant was made or changed, was revoked or has ended.
    """

    def __init__(self, journal: Journal, now: Callable[[], float], clock: IReactorTime) -> None:
        """:param now: returns seconds since the epoch."""
        super().__init__(now)
        self.changed: Callable[[], None] = lambda: None
        self._journal = journal
        self._timer = Timer(clock, TURN, self._turn)
        self._writing = 0  # how many own changes are under way
        self._begun = 0  # how many have begun so far
        self._records: Mapping[str, bytes] = {}  # as they are in the journal

    def start(self) -> None:
        """Read the records; to be called once the journal is open."""
        self._timer.start()
        self._timer.call_now()

    def stop(self) -> None:
        """Read no more records."""
        self._timer.stop()

    # -- what others do with grants ----------------------------------------------------------------

    def make(
        self,
        kind: Literal["screen", "link", "admin"],
        name: str,
        wall: str = "",
        lasts: float | None = None,
        owner: str = "",
    ) -> Deferred[tuple[Grant, str]]:
        """Make a grant; the Deferred fires when it is in the journal.

        :param kind: see :class:`Grant`, also for ``name``, ``wall`` and ``owner``.
        :param lasts: seconds; None for a screen, whose grant lasts :data:`UNSEEN` after each use.
        :returns: the grant, and the secret, which is stored nowhere.
        :raises Refused: 409 if a screen has this name already, 429 if there are too many grants.
            503 before the records were read, and while the journal is away.
        """
        secret, now = secrets.token_urlsafe(32), self._now()
        until = None if lasts is None else now + lasts
        grant = Grant(hash_of(secret), kind, name, wall, until, now, owner)
        return self._add(grant).addCallback(lambda _: (grant, secret))

    def make_for(self, hash: str, name: str, wall: str) -> Deferred[Grant]:
        """Make the grant of a screen whose browser has drawn the secret itself; see :meth:`make`.

        :param hash: the hash of the secret.
        """
        grant = Grant(hash, "screen", name, wall, None, self._now())
        return self._add(grant).addCallback(lambda _: grant)

    def _add(self, grant: Grant) -> Deferred[None]:
        if not self.loaded:
            raise Away("the grants have not been read yet")
        if grant.id in self._known:
            raise Refused(409, "already-paired", "this browser has a grant already")
        if grant.kind == "screen" and grant.name in self.screens():
            raise _taken(grant.name)
        if len(self._known) >= MAX_GRANTS:
            raise Refused(429, "too-many-grants", f"there are {MAX_GRANTS} grants; revoke some")
        return Deferred.fromCoroutine(self._add_alone(grant))

    async def _add_alone(self, grant: Grant) -> None:
        if not await self._swap(grant, None):  # another node was faster
            raise Refused(409, "already-paired", "this browser has a grant already")

    def change(self, id: str, **fields: Any) -> Deferred[Grant]:
        """Change the name or the wall of a grant, unless another node has just revoked it.

        :raises Refused: 404 if the grant does not exist, 409 if another screen has this name, or if
            several nodes change the grant at the same time.
        """
        return Deferred.fromCoroutine(self._change(id, self._with(id, fields), fields))

    async def _change(self, id: str, changed: Grant, fields: Mapping[str, Any]) -> Grant:
        for _ in range(2):
            if await self._swap(changed, self._records.get(id)):
                return changed
            await self._read()  # another node has changed or revoked it since the last turn
            changed = self._with(id, fields)
        raise Refused(409, "grant-changed", "others change this grant at the same time; try again")

    def _with(self, id: str, fields: Mapping[str, Any]) -> Grant:
        """Return a grant with other fields.

        :raises Refused: see :meth:`change`.
        """
        grant = self._existing(id)
        name = fields.get("name", grant.name)
        if grant.kind == "screen" and name != grant.name and name in self.screens():
            raise _taken(name)
        return replace(grant, **fields)

    def revoke(self, id: str) -> Deferred[None]:
        """Delete a grant.  Its viewers are disconnected at once, on other nodes within two seconds.

        :raises Refused: 404 if the grant does not exist.
        """
        self._existing(id)
        revoking = self._note(self._journal.put(GRANTS, id, b"", 0))
        return revoking.addCallback(lambda _: self._take({**self._known, id: None}, self._seen))

    def saw(self, grant: Grant) -> None:
        """Note that a grant is used, at most once an hour."""
        now = self._now()
        if now - self.seen(grant) >= NOTE_EVERY:
            self._seen[grant.id] = now
            noting = self._note(self._journal.put(SEEN, grant.id, b"%d" % now, UNSEEN))
            noting.addErrback(lambda failure: failure.trap(Away))

    def _existing(self, id: str) -> Grant:
        grant = self.get(id)
        if grant is None:
            raise Refused(404, "unknown-grant", "there is no such grant")
        return grant

    # -- records -----------------------------------------------------------------------------------

    async def _swap(self, grant: Grant, expected: bytes | None) -> bool:
        """Store a grant if its record is still the expected one; return whether it was."""
        lasts = None if grant.until is None else max(grant.until - self._now(), 1.0)
        record = msgspec.json.encode(grant)
        about = (grant.id, expected, record, lasts)
        stored: bool = await self._note(self._journal.swap(GRANTS, *about))
        if stored:
            self._records = {**self._records, grant.id: record}
            self._take({**self._known, grant.id: grant}, self._seen)
        return stored

    def _note(self, writing: Deferred[T]) -> Deferred[T]:
        """Note that an own change is under way, until it is in the journal."""
        self._writing += 1
        self._begun += 1

        def written(result: Any) -> Any:
            self._writing -= 1
            return result

        return writing.addBoth(written)

    def _take(self, grants: Mapping[str, Grant | None], seen: dict[str, float]) -> None:
        """Replace all grants, and tell it if that ended, changed or added some."""
        before, now = self._known, self._now()
        self._seen = seen
        self._known = {id: g for id, g in grants.items() if g is not None and self.end_of(g) > now}
        self._screens = frozenset(g.name for g in self._known.values() if g.kind == "screen")
        for id, grant in grants.items():
            if grant is not None and grant.until is None and id not in self._known:
                # A screen that was not seen for so long: the journal keeps its record until now.
                ending = self._note(self._journal.put(GRANTS, id, b"", 0))
                ending.addErrback(lambda failure: failure.trap(Away))
        if self._known != before:
            self.changed()

    async def _turn(self) -> None:
        if self.loaded and not self._journal.shared:
            self._take(self._known, self._seen)  # nobody else writes: only time passes
            return
        with suppress(Away):
            await self._read()

    async def _read(self) -> None:
        self.instance = await self._agree_instance()
        under_way, begun = self._writing, self._begun
        records = await self._journal.records(GRANTS)
        seen = await self._journal.records(SEEN)
        if under_way or begun != self._begun:
            return  # they may be from before an own change; the next turn reads them again
        found = (read_record(record, Grant) for record in records.values())
        grants = [grant for grant in found if grant is not None]
        self._records = records
        times = {id: float(time) for id, time in seen.items() if time.isdigit()}
        self._take({grant.id: grant for grant in grants}, times)
        self.loaded = True

    async def _agree_instance(self) -> str:
        """Return the id of this log, which the first node draws."""
        known = await self._journal.records(INSTANCE)
        if not known:
            await self._journal.put(INSTANCE, secrets.token_hex(4), b"1", None)
            known = await self._journal.records(INSTANCE)
        return min(known)  # two nodes that drew at the same time soon agree on one


def hash_of(secret: str) -> str:
    """Return the hash of a secret, in hexadecimal.  A secret of 256 random bits needs no salt."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _taken(name: str) -> Refused:
    return Refused(409, "name-taken", f"another screen is called {name}")
