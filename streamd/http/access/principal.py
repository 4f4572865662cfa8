"""Principals: the client that the credentials of a request name, and its rights.  Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

from streamd.core.errors import Refused
from streamd.core.rights import NO_RIGHTS, PUBLISHER, READER, Rights
from streamd.core.update import ORIGIN, Position


class Principal(NamedTuple):
    """A client, known by its credentials.

    :ivar kind: which credentials it has.  ``local``: a program on this machine, without any.
    :ivar key: identifies the credentials: the hash of a token, the id of a grant, or the name of a
        person.
    :ivar rights: the rights that its credentials give.
    :ivar name: the name for logs and lists; empty if it has none.
    :ivar publisher: the place of its token in the configuration; empty without a token.  Each
        publisher has its own idempotency keys.
    :ivar proxy: the address of the proxy that sent the name of a person; empty for a Unix socket.
    :ivar since: a cursor before this position cannot resume: the client may have had fewer rights
        then.
        :data:`ORIGIN` if it always could read all streams.
    """

    kind: Literal["nobody", "local", "token", "grant", "person"] = "nobody"
    key: str = ""
    rights: Rights = NO_RIGHTS
    name: str = ""
    publisher: str = ""
    since: Position = ORIGIN
    proxy: str = ""

    @property
    def is_known(self) -> bool:
        """Return whether the client has credentials."""
        return self.kind != "nobody"


NOBODY = Principal()
"""A client without credentials, where these are needed for everything."""

READS_ALL = Principal(rights=READER)
"""A client without credentials, where everybody may read."""

LOCAL = Principal("local", rights=PUBLISHER)
"""A program on this machine that may publish without a token."""

SIGNED_OUT = {"code": "signed-out", "message": "your rights to read have changed or ended"}
"""The members of the ``error`` message before a viewer is closed."""


def signed_out() -> Refused:
    """Return the error for a request whose client has lost the right to its answer."""
    return Refused(401, SIGNED_OUT["code"], SIGNED_OUT["message"])
