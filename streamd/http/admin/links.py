"""Links: addresses that let everybody who opens them read one wall, until their end.

The secret of a link is in the query of its address.  The answer moves it into a cookie and sends
the browser to the address of the wall.  So the secret stays in no history, no bookmark and no
``Referer``.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

import msgspec
from twisted.internet.defer import Deferred

from streamd.core.errors import Refused
from streamd.core.update import check_name
from streamd.http.access.access import Access
from streamd.http.access.credentials import cookie_to_set
from streamd.http.access.grants import UNSEEN, Grant, Grants
from streamd.http.access.origins import Right
from streamd.http.admin.command_body import parse_command, parse_lasting
from streamd.http.request import NeedsBody, Request, Response, Routes, json_response
from streamd.journals.journal import Away

LINK = "/link"
"""The path of all links.  The secret is in the query, which is in no line of the log."""

KEY = "key"
"""The member of the query with the secret."""

MAX_LASTING = UNSEEN
"""The most seconds for which a link lasts: browsers keep no cookie longer."""


class _Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A link to be made.

    :ivar lasting: the key ``for``: a duration such as ``"7d"``.
    :ivar name: the name by which it is revoked; empty for the name of the wall.
    """

    wall: str
    lasting: str = msgspec.field(name="for")
    name: str = ""


_WANTED = msgspec.json.Decoder(_Wanted)


class Links:
    """Answers the requests that make links and open them."""

    def __init__(
        self, access: Access, grants: Grants, now: Callable[[], float], public: str | None
    ) -> None:
        """:param now: returns seconds since the epoch.

        :param public: the public address of the daemon; None if it is not configured.
        """
        self._access = access
        self._grants = grants
        self._now = now
        self._public = public

    @property
    def routes(self) -> Routes:
        return {"/links": {"POST": self.post_links}, LINK: {"GET": self.get_link}}

    def post_links(self, request: Request) -> NeedsBody:
        """``POST /links``: make a link.  Only this answer has its address.

        :raises Refused: 400, 401, 403, 404, 429, or 503 if the journal is away.
        """
        self._access.check_change(request, Right.GRANT)
        base = self._public or request.address

        def make(body: bytes) -> Deferred[Response]:
            wanted = parse_command(_WANTED, body, "bad-link")
            self._access.rules.check_wall(wanted.wall)
            name = check_name(wanted.name or wanted.wall)
            lasts = parse_lasting(wanted.lasting, MAX_LASTING, "bad-link")
            making = self._grants.make("link", name, wanted.wall, lasts)
            return making.addCallback(lambda made: _told(base, *made))

        return NeedsBody(make)

    def get_link(self, request: Request) -> Response:
        """``GET /link?key=SECRET``: set the cookie, and go to the address of the wall.

        A browser whose grant already reads the wall keeps it: a link must sign out no screen and no
        administrator.

        :raises Refused: 403 if a page loads the address (only a person may open it), 410 if the
            link has ended or never existed. 503 before the grants were read.
        """
        # An image of another page on this host would replace the cookie, which does not count there.
        if request.headers.get("sec-fetch-mode", "navigate") != "navigate":
            raise Refused(403, "not-opened", "a person has to open a link; no page may load it")
        if not self._grants.loaded:
            raise Away("the grants have not been read yet")
        secret = request.query.get(KEY, "")
        grant = self._grants.find(secret)
        if grant is None or grant.kind != "link" or grant.until is None:
            raise Refused(410, "link-ended", "this link has ended; ask for a new one")
        # Relative, because a proxy that is not trusted may have changed the address.
        query = urlencode({"wall": grant.wall})
        headers = {"Location": f"./?{query}", "Cache-Control": "no-store"}
        if not self._reads_as_long(request, grant):
            lasts = grant.until - self._now()
            headers["Set-Cookie"] = cookie_to_set(request, self._grants.instance, secret, lasts)
        return Response(303, b"", headers)

    def _reads_as_long(self, request: Request, link: Grant) -> bool:
        """Return whether a client may read the wall of a link for at least as long without it."""
        streams = self._access.rules.walls.get(link.wall)
        if streams is None or not request.rights.may_read_wall(link.wall, streams):
            return False
        principal = request.principal
        other = self._grants.get(principal.key) if principal.kind == "grant" else None
        if other is None or other.kind != "link":
            return True
        return self._grants.end_of(other) >= self._grants.end_of(link)


def _told(base: str, grant: Grant, secret: str) -> Response:
    about = {
        "address": f"{base}{LINK.removeprefix('/')}?{urlencode({KEY: secret})}",
        "id": grant.id,
        "name": grant.name,
        "wall": grant.wall,
        "until": grant.until,
    }
    return json_response(about, 201, {"Cache-Control": "no-store"})
