"""Tokens: the secrets of ``[access]``, which programs send, and the rights of each.  Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import NamedTuple

from streamd.core.rights import ALL_RIGHTS, Rights
from streamd.core.selection import ALL_STREAMS, Selection
from streamd.http.access.principal import Principal


class Token(NamedTuple):
    """One entry of ``[access]``.

    :ivar text: the secret.
    :ivar name: the name of the program for logs; empty if it has none.
    :ivar streams: the streams for which the token counts.
    """

    text: str
    name: str = ""
    streams: Selection = ALL_STREAMS


class Tokens(NamedTuple):
    """The tokens that allow publishing, administration, reading, and reading the metrics.

    :ivar view: None if everybody may read.
    :ivar hooks: hook -> its secret.
    """

    publish: Sequence[Token] = ()
    admin: Sequence[Token] = ()
    view: Sequence[Token] | None = None
    metrics: Sequence[Token] = ()
    hooks: Mapping[str, str] = {}


NO_TOKENS = Tokens()


class KnownTokens:
    """The tokens of one configuration, as hashes."""

    def __init__(self, tokens: Tokens) -> None:
        self.publish = bool(tokens.publish)
        self._known = [
            *(
                (_hash(t.text), f"{n}", t.name, Rights(publish=t.streams))
                for n, t in enumerate(tokens.publish)
            ),
            *((_hash(t.text), f"admin{n}", t.name, ALL_RIGHTS) for n, t in enumerate(tokens.admin)),
            *((_hash(t.text), "", t.name, Rights(view=t.streams)) for t in tokens.view or ()),
            *((_hash(t.text), "", t.name, Rights(metrics=True)) for t in tokens.metrics),
        ]

    def principal(self, text: str) -> Principal | None:
        """Return the client that sends a token, or None.

        The duration reveals nothing about the tokens.  Hashes are compared, because a comparison of
        texts reveals their lengths.
        """
        return self.of_hash(_hash(text.strip()).hex())

    def of_hash(self, key: str) -> Principal | None:
        """Return the client whose token has this hash (its :attr:`Principal.key`), or None."""
        given = bytes.fromhex(key)
        found = [entry for entry in self._known if hmac.compare_digest(given, entry[0])]
        if not found:
            return None
        # One token may be in several lists.
        rights = reduce(Rights.plus, (rights for *_, rights in found))
        publisher = next((publisher for _, publisher, *_ in found if publisher), "")
        name = next((name for *_, name, _ in found if name), "")
        return Principal("token", key, rights, name, publisher)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
