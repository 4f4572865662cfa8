"""The rules of access: what one configuration allows.  A reload replaces them as a whole.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from streamd.core.rights import Rights, no_wall
from streamd.core.selection import Selection
from streamd.http.access.client_address import NO_PROXIES, TrustedProxies
from streamd.http.access.grants import Grant
from streamd.http.access.local_program import LocalPrograms
from streamd.http.access.origins import Origins
from streamd.http.access.tokens import NO_TOKENS, KnownTokens, Tokens
from streamd.http.publishing.delivery import Hook


class Identity(NamedTuple):
    """How trusted proxies name persons.

    :ivar header: the header with the name of the person, in lower case.
    :ivar admins: the persons who may do everything; all others may read everything.
    """

    header: str
    admins: Collection[str] = ()


@dataclass(frozen=True)
class Rules:
    """The rules of one configuration.

    :ivar tokens: the tokens of programs.
    :ivar identity: how trusted proxies name persons; None if this is not configured.
    :ivar local: the programs that may publish without a token.
    :ivar origins: the pages and the names of the daemon that are let in.
    :ivar walls: wall -> its streams.
    :ivar playlists: screen -> the walls that its table names.
    :ivar hooks: the hooks by name.
    :ivar proxies: the proxies whose forwarding headers count.
    """

    tokens: Tokens = NO_TOKENS
    identity: Identity | None = None
    local: LocalPrograms = field(default_factory=LocalPrograms)
    origins: Origins = field(default_factory=Origins)
    walls: Mapping[str, Selection] = field(default_factory=dict)
    playlists: Mapping[str, Collection[str]] = field(default_factory=dict)
    hooks: Mapping[str, Hook] = field(default_factory=dict)
    proxies: TrustedProxies = NO_PROXIES

    @cached_property
    def known(self) -> KnownTokens:
        """The tokens as hashes."""
        return KnownTokens(self.tokens)

    @property
    def is_public(self) -> bool:
        """Return whether everybody may read."""
        return self.tokens.view is None and self.identity is None

    @property
    def has_admins(self) -> bool:
        """Return whether anybody can administrate."""
        return bool(self.tokens.admin or (self.identity is not None and self.identity.admins))

    def check_wall(self, name: str) -> None:
        """Refuse the name of a wall that does not exist, in a request of an administrator.

        :raises Refused: 404; the message lists all walls, which only administrators may know.
        """
        if name not in self.walls:
            raise no_wall(name, self.walls)

    def rights_of(self, grant: Grant) -> Rights:
        """Return the rights of a grant: it reads its wall, and the walls of its screen's playlist."""
        if grant.kind == "admin":
            owner = self.known.of_hash(grant.owner) if grant.owner else None
            return owner.rights if owner is not None else Rights()
        names = {grant.wall, *self.playlists.get(grant.name if grant.kind == "screen" else "", ())}
        walls = frozenset(names & self.walls.keys())
        patterns = {pattern for wall in walls for pattern in self.walls[wall].patterns}
        view = Selection(patterns, bounded=False)
        return Rights(view, walls=walls, screen=grant.name if grant.kind == "screen" else "")


NO_RULES = Rules()
"""Everybody may read, and nobody may change anything."""
