"""Grants over HTTP: their list, new names and walls, and their end, from an administrator."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from streamd.core.update import check_name
from streamd.http.access.access import Access
from streamd.http.access.grants import Grant, Grants
from streamd.http.access.origins import Right
from streamd.http.admin.command_body import parse_command
from streamd.http.request import NAME, NeedsBody, Request, Response, Routes, json_response


class _Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The changes of a grant; an empty member stays as it is."""

    name: str = ""
    wall: str = ""


_CHANGE = msgspec.json.Decoder(_Change)


class GrantCommands:
    """Answers the requests that list, change and revoke grants."""

    def __init__(self, access: Access, grants: Grants) -> None:
        self._access = access
        self._grants = grants

    @property
    def routes(self) -> Routes:
        return {
            "/grants": {"GET": self.get_grants},
            f"/grants/{NAME}": {"POST": self.post_grant, "DELETE": self.delete_grant},
        }

    def get_grants(self, request: Request) -> Response:
        """``GET /grants``: all grants, the oldest first.

        :raises Refused: 401 or 403.
        """
        self._access.check_change(request, Right.GRANT)
        grants = list(map(self._about, self._grants.listing()))
        return json_response({"grants": grants}, headers={"Cache-Control": "no-store"})

    def post_grant(self, request: Request, id: str) -> NeedsBody:
        """``POST /grants/ID``: change the name or the wall of a grant; its viewers begin anew.

        :raises Refused: 400, 401, 403, 404, 409 if another screen has the name, or 503 if the journal
            is away.
        """
        self._access.check_change(request, Right.GRANT)

        def change(body: bytes) -> Deferred[Response]:
            asked = parse_command(_CHANGE, body, "bad-command")
            fields: dict[str, str] = {}
            if asked.name:
                fields["name"] = check_name(asked.name)
            if asked.wall:
                self._access.rules.check_wall(asked.wall)
                fields["wall"] = asked.wall
            changing = self._grants.change(id, **fields)
            return changing.addCallback(lambda grant: json_response(self._about(grant)))

        return NeedsBody(change)

    def delete_grant(self, request: Request, id: str) -> Deferred[Response]:
        """``DELETE /grants/ID``: revoke a grant; its viewers are disconnected within five seconds.

        :raises Refused: 401, 403, 404, or 503 if the journal is away.
        """
        self._access.check_change(request, Right.GRANT)
        return self._grants.revoke(id).addCallback(lambda _: Response(204))

    def _about(self, grant: Grant) -> dict[str, Any]:
        rules = self._access.rules
        return {
            "id": grant.id,
            "kind": grant.kind,
            "name": grant.name,
            "wall": grant.wall,
            "walls": sorted(rules.rights_of(grant).walls or ()),
            "table": grant.kind == "screen" and bool(rules.playlists.get(grant.name)),
            "made": grant.made,
            "seen": self._grants.seen(grant),
            "until": self._grants.end_of(grant),
        }
