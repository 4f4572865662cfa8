"""The address of a daemon on a command line, with the password for a proxy, if any.  Pure."""

from __future__ import annotations

from base64 import b64encode
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from streamd.config.fields import DEFAULT_PORT


class DaemonUrl(NamedTuple):
    """The address of a daemon, or of the proxy in front of it.

    :ivar scheme: ``http`` or ``https``.
    :ivar host: the host, without brackets.
    :ivar port: the port.
    :ivar path: the path of the wall, with a slash at its end.
    :ivar password: ``USER:PASSWORD`` for a proxy; empty if the address has none.
    """

    scheme: str
    host: str
    port: int
    path: str
    password: str

    @classmethod
    def parse(cls, written: str) -> DaemonUrl:
        """Parse an address.

        :raises ValueError: if it is not valid; the message does not repeat its password.
        """
        try:
            parts = urlsplit(written)
            host, port = parts.hostname or "", parts.port
            is_good = bool(host) and parts.scheme in DEFAULT_PORT and not parts.query
        except ValueError:
            is_good = False
        if not is_good or not written.isprintable() or " " in written:
            shown = written.rpartition("@")[2]
            raise ValueError(f"expected a URL such as http://localhost:5000, not {shown}")
        password = ""
        if parts.username is not None:
            password = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        default = DEFAULT_PORT[parts.scheme]
        path = parts.path.rstrip("/") + "/"
        return cls(parts.scheme, host, default if port is None else port, path, password)

    @property
    def prefix(self) -> str:
        """The path without its slash at the end: ``/wall``, or empty."""
        return self.path.rstrip("/")

    @property
    def authority(self) -> str:
        """The value of the header ``Host``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORT[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """The origin of the wall's pages."""
        return f"{self.scheme}://{self.authority}"

    def __str__(self) -> str:
        return f"{self.origin}{self.path}"

    def headers(self, token: str) -> dict[str, str]:
        """Return the headers that carry a token and the password for a proxy.

        :param token: the token; empty for no token.
        """
        if self.password:
            basic = b64encode(self.password.encode()).decode()
            named = {"Streamd-Token": token} if token else {}
            return {"Authorization": f"Basic {basic}", **named}
        return {"Authorization": f"Bearer {token}"} if token else {}
