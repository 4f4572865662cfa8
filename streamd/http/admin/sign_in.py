"""The page ``/admin`` over HTTP: an administrator signs in and out, and reads the refusals.

    -> GET /admin/session
    <- {"admin": false, "possible": true, …}
    -> POST /admin/session, with a token of [access] admin in a header
    <- {"admin": true, "name": "ann", "until": …}, with the cookie
    -> DELETE /admin/session
    <- 204, and the cookie is gone

The page then uses the routes that programs use: ``/grants``, ``/pairing``, ``/links`` and ``/screens``.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed

from streamd.core.errors import Refused
from streamd.http.access.access import Access
from streamd.http.access.credentials import cookie_to_set
from streamd.http.access.grants import SESSION, Grant, Grants
from streamd.http.access.origins import Right
from streamd.http.access.principal import Principal
from streamd.http.admin.refusals import Refusals
from streamd.http.request import Request, Response, Routes, json_response

SESSION_PATH = "/admin/session"

LASTS = 12 * 3600.0
"""Seconds for which a session lasts: a working day.  It also ends with the token that began it."""

_NO_STORE = {"Cache-Control": "no-store"}


class Administration:
    """Answers the requests of the page ``/admin`` that no other part answers."""

    def __init__(self, access: Access, grants: Grants, refusals: Refusals) -> None:
        self._access = access
        self._grants = grants
        self._refusals = refusals

    @property
    def routes(self) -> Routes:
        return {
            SESSION_PATH: {
                "GET": self.get_session,
                "POST": self.post_session,
                "DELETE": self.delete_session,
            },
            "/admin/refusals": {"GET": self.get_refusals},
        }

    def get_session(self, request: Request) -> Response:
        """``GET /admin/session``: whether the client is an administrator, and until when."""
        session = self._access.session(request)
        return json_response(self._about(request.principal, session), headers=_NO_STORE)

    def post_session(self, request: Request) -> Deferred[Response]:
        """``POST /admin/session``: begin a session with a token; the browser's earlier one ends.

        :raises Refused: 401, 403, 429 if there are too many grants, 503 if the journal is away.
        """
        owner = self._access.check_change(request, Right.GRANT)
        if owner.kind != "token":
            raise Refused(401, "no-token", "a session begins with a token of [access] admin")
        former = self._access.session(request)

        async def begin() -> Response:
            name = owner.name or "administrator"
            grant, secret = await self._grants.make("admin", name, "", LASTS, owner.key)
            if former is not None:
                await self._grants.revoke(former.id)
            about = self._about(owner._replace(name=name), grant)
            return json_response(about, 201, self._cookie(request, secret, LASTS))

        return Deferred.fromCoroutine(begin())

    def delete_session(self, request: Request) -> Deferred[Response]:
        """``DELETE /admin/session``: end the session of this browser, and take its cookie away.

        :raises Refused: 403 for pages of other origins, or 503 if the journal is away.
        """
        self._access.rules.origins.check_page(request, Right.GRANT)
        session = self._access.session(request)
        ending = succeed(None) if session is None else self._grants.revoke(session.id)
        answer = Response(204, b"", self._cookie(request, "", 0.0))
        return ending.addCallback(lambda _: answer)

    def get_refusals(self, request: Request) -> Response:
        """``GET /admin/refusals``: the refused attempts at this node, the newest first.

        :raises Refused: 401 or 403.
        """
        self._access.check_change(request, Right.GRANT)
        refused = [refusal._asdict() for refusal in self._refusals.listing()]
        return json_response({"refused": refused}, headers=_NO_STORE)

    def _about(self, who: Principal, session: Grant | None) -> dict[str, Any]:
        admin = who.rights.admin
        return {
            "admin": admin,
            "name": who.name if admin else "",
            "id": session.id if session is not None and admin else "",
            "until": session.until if session is not None and admin else None,
            "possible": self._access.rules.has_admins,
        }

    def _cookie(self, request: Request, secret: str, lasts: float) -> dict[str, str]:
        instance = self._grants.instance + SESSION
        return {**_NO_STORE, "Set-Cookie": cookie_to_set(request, instance, secret, lasts)}
