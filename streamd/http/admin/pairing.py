"""Pairing over HTTP: a screen without rights shows a code, and an administrator lets it in.

    -> POST /pairing {"device": SECRET}                  the screen, every few seconds
    <- {"state": "waiting", "code": "KXWQRF", …}
    -> POST /pairing/KXWQRF {"name": …, "wall": …}       an administrator
    <- {"name": …, "wall": …, "address": …}
    -> POST /pairing {"device": SECRET}                  the screen again
    <- {"state": "paired", …}, with the cookie

The browser draws the secret.  It becomes the secret of the grant, so the screen can ask again if an
answer is lost, and any node answers it.  The code gives nothing to those who read it off the screen.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from streamd.core.errors import Refused
from streamd.core.update import check_name
from streamd.http.access.access import Access
from streamd.http.access.codes import ALPHABET, LENGTH, Codes, Waiting
from streamd.http.access.credentials import cookie_to_set
from streamd.http.access.grants import UNSEEN, Grant, Grants
from streamd.http.access.guesses import PAUSE, Guesses
from streamd.http.access.origins import Right
from streamd.http.admin.command_body import parse_command
from streamd.http.request import NAME, NeedsBody, Request, Response, Routes, json_response
from streamd.journals.journal import Away

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
"""256 bits in base64url."""

_CODE = re.compile(f"[{ALPHABET}]{{{LENGTH}}}")

_NO_STORE = {"Cache-Control": "no-store"}


class _Device(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The message of a screen."""

    device: str


class _Approval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The message of an administrator.

    :ivar wall: empty for a screen whose table in ``[[screens]]`` has walls.
    """

    name: str
    wall: str = ""


_DEVICE, _APPROVAL = msgspec.json.Decoder(_Device), msgspec.json.Decoder(_Approval)


class Pairing:
    """Answers the requests of screens that wait, and of the administrator who lets them in."""

    def __init__(
        self,
        access: Access,
        grants: Grants,
        codes: Codes,
        now: Callable[[], float],
        seconds: Callable[[], float],
        lasting: bool,
    ) -> None:
        """:param now: returns seconds since the epoch.

        :param seconds: the monotonic clock.
        :param lasting: whether grants survive a restart of the daemon.
        """
        self._access = access
        self._grants = grants
        self._codes = codes
        self._now = now
        self._guesses = Guesses(seconds)
        self._lasting = lasting

    @property
    def routes(self) -> Routes:
        return {
            "/pairing": {"GET": self.get_pairing, "POST": self.post_pairing},
            f"/pairing/{NAME}": {"POST": self.post_code},
        }

    def get_pairing(self, request: Request) -> Deferred[Response]:
        """``GET /pairing``: the screens that wait, for an administrator.

        :raises Refused: 401, 403, or 503 if the journal is away.
        """
        self._access.check_change(request, Right.GRANT)
        return self._codes.listing().addCallback(
            lambda all: json_response({"waiting": list(map(_about, all))}, headers=_NO_STORE)
        )

    def post_pairing(self, request: Request) -> NeedsBody:
        """``POST /pairing``: the code of a screen, or its cookie once it was let in.

        :raises Refused: 400; 403 for pages of other origins, or without any administrators; 429 and
            503 if too many screens wait; 503 if the journal is away.
        """
        self._access.check_change(request, Right.REPORT)
        if not self._access.rules.has_admins:
            message = "nobody can let screens in: [access] admin in streamd.toml lists no token"
            raise Refused(403, "no-pairing", message)

        def take(body: bytes) -> Response | Deferred[Response]:
            secret = parse_command(_DEVICE, body, "bad-pairing").device
            if not _SECRET.fullmatch(secret):
                raise Refused(400, "bad-device", "expected 256 random bits in base64url")
            if not self._grants.loaded:
                raise Away("the grants have not been read yet")
            grant = self._grants.find(secret)
            if grant is not None:
                return self._paired(request, grant, secret)
            begun = self._codes.begin(secret, request.client)
            return begun.addCallbacks(self._waiting, _without_reason)

        return NeedsBody(take, from_anyone=True)

    def _paired(self, request: Request, grant: Grant, secret: str) -> Response:
        if grant.kind != "screen":
            raise Refused(409, "already-paired", "this is the secret of another grant")
        cookie = cookie_to_set(request, self._grants.instance, secret, UNSEEN)
        about = {"state": "paired", "name": grant.name, "wall": grant.wall}
        return json_response(about, headers={**_NO_STORE, "Set-Cookie": cookie})

    def _waiting(self, begun: tuple[Waiting, str]) -> Response:
        waiting, code = begun
        about = {
            "state": "waiting",
            "code": code,
            "for": max(0.0, round(waiting.until - self._now(), 3)),
            "lasting": self._lasting,
        }
        return json_response(about, headers=_NO_STORE)

    def post_code(self, request: Request, code: str) -> NeedsBody:
        """``POST /pairing/CODE``: let a screen in, as an administrator.

        :raises Refused: 400, 401, 403, 404, 409, 429 after too many wrong codes, or 503 if the journal
            is away.
        """
        self._access.check_change(request, Right.GRANT)
        client, code = request.client.group, code.upper()
        if self._guesses.pause(client, code):
            message = "too many wrong codes; wait a minute"
            raise Refused(429, "too-many-guesses", message, PAUSE)

        def approve(body: bytes) -> Deferred[Response]:
            approval = parse_command(_APPROVAL, body, "bad-pairing")
            name, wall = check_name(approval.name), self._wall_of(approval)
            # A text that cannot be a code is no guess: it costs no look at the journal.
            if not _CODE.fullmatch(code):
                raise Refused(404, "unknown-code", f"a code has {LENGTH} letters of {ALPHABET}")
            approving = self._codes.approve(code, name, wall)
            return approving.addCallbacks(_approved, self._unknown, errbackArgs=(client, code))

        return NeedsBody(approve)

    def _unknown(self, failure: Any, client: str, code: str) -> Any:
        if failure.check(Refused) and failure.value.code == "unknown-code":
            self._guesses.wrong(client, code)
        return failure

    def _wall_of(self, approval: _Approval) -> str:
        """Return the wall that a screen may read."""
        rules = self._access.rules
        wall = approval.wall or min(rules.playlists.get(approval.name, ()), default="")
        if wall:
            rules.check_wall(wall)
            return wall
        text = f"which wall? [[screens]] in streamd.toml has no walls for {approval.name}"
        raise Refused(400, "no-wall", text)


def _without_reason(failure: Failure) -> Failure:
    """Return a failure that tells strangers nothing about the journal: anybody may ask for a code."""
    return Failure(Away("the journal is away")) if failure.check(Away) else failure


def _approved(made: tuple[Waiting, Grant]) -> Response:
    waiting, grant = made
    about = {"id": grant.id, "name": grant.name, "wall": grant.wall, "address": waiting.address}
    return json_response(about, 201)


def _about(listed: tuple[Waiting, str]) -> dict[str, Any]:
    waiting, code = listed
    return {
        "code": code,
        "address": waiting.address,
        "since": waiting.since,
        "until": waiting.until,
    }
