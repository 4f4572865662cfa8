"""Credentials: finds the token, cookie or secret in the head of a request.  Pure."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterator, Sequence

from streamd.core.errors import Refused
from streamd.http.access.grants import COOKIE, OF_HOST
from streamd.http.handshake import TOKEN, offered_protocols, wants_websocket
from streamd.http.request import Request

TOKEN_HEADER = "streamd-token"
"""The header for a token behind a proxy that asks for a password, which is in ``Authorization``."""

TOKEN_HEADERS = (b"authorization", TOKEN_HEADER.encode(), b"sec-websocket-protocol")
"""The headers that may carry a token, which may have to wait."""

WIDGETS, HOOKS = "/widgets/", "/hooks/"
"""The beginnings of paths with a secret of their own: a token in the body, and the secret of a hook."""

WRITES = ("/write", "/api/v2/write")
"""The paths for clients of InfluxDB, which send a token in several places."""

HOOK_KEY = "key"
"""The member of the query with the secret of a hook, for senders that can neither sign nor set a
header.  A query is in no line of the log."""

MAX_COOKIES = 4
"""The most cookies of one name that are looked at: another program on the host may have set some."""


def has_token(request: Request) -> bool:
    """Return whether a request has a header that can carry a token."""
    return TOKEN_HEADER in request.headers or "authorization" in request.headers


def token_of(request: Request) -> str | None:
    """Return the token of a request; None if it has none.

    It is in ``Streamd-Token``, in ``Authorization: Bearer``, or in a subprotocol of a WebSocket.
    ``Authorization`` with another scheme may be meant for a proxy.

    :raises Refused: 401 for a subprotocol that is not a token in base64url.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if TOKEN_HEADER in request.headers:
        scheme, token = "bearer", request.headers[TOKEN_HEADER]
    if scheme.lower() == "bearer":
        # Headers are decoded as latin-1; the bytes of a token are UTF-8.
        return token.encode("latin-1", "replace").decode("utf-8", "replace")
    if TOKEN in request.headers.get("sec-websocket-protocol", "") and wants_websocket(request):
        for protocol in offered_protocols(request.headers):
            if protocol.startswith(TOKEN):
                return _of_base64url(protocol.removeprefix(TOKEN))
    return None


def password_of(request: Request) -> str | None:
    """Return the password in ``Authorization: Basic`` (RFC 7617); None without one."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return b64decode(credentials).decode().partition(":")[2]
    except ValueError:  # it is no base64, or no UTF-8
        return None


def written_token_of(request: Request) -> str | None:
    """Return the token of a client of InfluxDB, from any of its places; None without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "token":
        return token.rpartition(":")[2]  # the first version sends USER:PASSWORD
    return token_of(request) or password_of(request) or request.query.get("p")


def secrets_in(request: Request) -> Sequence[str]:
    """Return the texts in the head of a delivery that may be its hook's secret, written in plain."""
    given = request.query.get(HOOK_KEY), token_of(request), password_of(request)
    return [each for each in given if each]


def guess_of(request: Request) -> str | None:
    """Return the secret that a request uses as proof of its sender; None if it has no secret.

    Each way to send a secret belongs here: a way that is missing lets clients guess without a pause.

    :returns: the secret.  If it is in the body: an empty text.  If a signature proves a delivery:
        the path.
    :raises Refused: 401, see :func:`token_of`.
    """
    token = token_of(request)
    if token is None and request.path in WRITES:
        token = written_token_of(request)
    if request.path.startswith(HOOKS):
        return next(iter(secrets_in(request)), request.path)
    return "" if token is None and request.path.startswith(WIDGETS) else token


def _of_base64url(text: str) -> str:
    try:
        padding = "=" * (-len(text) % 4)
        return b64decode(text + padding, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        message = f"expected a token in base64url after {TOKEN}"
        raise Refused(401, "bad-token", message) from None


def cookies_of(request: Request, name: str) -> Iterator[str]:
    """Yield the values of a cookie, at most :data:`MAX_COOKIES` of them (RFC 6265, section 4.2)."""
    found = 0
    for pair in request.headers.get("cookie", "").split(";"):
        key, _, value = pair.strip().partition("=")
        if key == name and found < MAX_COOKIES:
            found += 1
            yield value


def has_cookie(request: Request, *prefixes: str) -> bool:
    """Return whether a request has a cookie whose name begins with one of these."""
    pairs = request.headers.get("cookie", "").split(";")
    return any(pair.strip().startswith(prefixes) for pair in pairs)


def cookie_to_set(request: Request, instance: str, secret: str, lasts: float) -> str:
    """Return the header ``Set-Cookie`` that gives a browser the secret of a grant, or takes it away.

    Scripts cannot read the cookie.  A browser sends it from pages of other sites only when a person
    follows a link to the wall.

    :param instance: the name of the log, as :class:`~streamd.http.access.grants.KnownGrants` has it,
        with :data:`~streamd.http.access.grants.SESSION` for the session of an administrator.
    :param secret: the secret; empty to delete the cookie.
    :param lasts: seconds; 0 to delete the cookie.
    """
    has_tls = request.scheme == "https"
    prefix = OF_HOST if has_tls and not request.prefix else ""
    path = f"{request.prefix}/"
    about = f"Path={path}; Max-Age={lasts:.0f}; HttpOnly; SameSite=Lax"
    return f"{prefix}{COOKIE}{instance}={secret}; {about}{'; Secure' if has_tls else ''}"
