"""The entries of ``[access]``: tokens with their streams, and the header of a proxy."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

import msgspec

from streamd.config.fields import Secret
from streamd.core.errors import Refused
from streamd.core.parsed_text import FormedText, ParsedText
from streamd.core.selection import ALL_STREAMS, Selection

MAX_NAME = 64
"""The most characters of a token's name, which stands in log lines."""

_KEYS = frozenset(("token", "name", "streams"))


class TokenEntry(ParsedText):
    """A token: a secret, or a table with ``token``, ``name`` and ``streams``.

    :ivar secret: the token.
    :ivar name: the name of the program that has it, for logs; empty if it has none.
    :ivar streams: the streams for which the token counts.
    """

    def __init__(self, secret: Secret, name: str = "", streams: Selection = ALL_STREAMS) -> None:
        self.secret, self.name, self.streams = secret, name, streams

    @classmethod
    def parse(cls, written: Any) -> TokenEntry:
        if not isinstance(written, dict) or "token" not in written:
            return cls(_secret(written))
        unknown = sorted(written.keys() - _KEYS)
        if unknown:
            raise ValueError(f"unknown key {unknown[0]}; there are name, streams, token")
        name = written.get("name", "")
        if not isinstance(name, str) or len(name) > MAX_NAME or not name.isprintable():
            raise ValueError(f"name: expected a text of at most {MAX_NAME} characters")
        try:
            return cls(_secret(written["token"]), name, _streams(written.get("streams")))
        except Refused as refused:
            raise ValueError(f"streams: {refused.message}") from None


def _secret(written: Any) -> Secret:
    try:
        return Secret.parse(written)
    except ValueError as error:
        raise ValueError(f"{error}, or a table with token, name and streams") from None


def _streams(written: Any) -> Selection:
    if written is None:
        return ALL_STREAMS
    if not isinstance(written, list) or not all(isinstance(each, str) for each in written):
        raise ValueError('streams: expected names and globs such as ["build.*"]')
    return Selection(written)


class HeaderName(FormedText):
    """The name of a header, in lower case."""

    FORM = re.compile(r"[A-Za-z0-9-]{1,64}")
    EXPECTED = 'expected the name of a header such as "X-Forwarded-User"'

    @classmethod
    def parse(cls, written: Any) -> Self:
        return cls(super().parse(written).lower())


class IdentitySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table ``identity``: a header that counts only from ``[server] trusted_proxies``.

    :ivar header: the header with the name of the person.
    :ivar admins: the names of the persons who may do everything.
    """

    header: HeaderName
    admins: tuple[Annotated[str, msgspec.Meta(min_length=1)], ...] = ()
