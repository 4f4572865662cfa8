"""Commands to alerts over HTTP, from an administrator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from twisted.internet.defer import Deferred

from streamd.core.errors import Refused, shorten
from streamd.http.access.access import Access
from streamd.http.access.origins import Right
from streamd.http.admin.command_body import parse_command, parse_lasting
from streamd.http.request import NAME, NeedsBody, Request, Response, Routes, json_response

MAX_MUTED = 30 * 86400.0
"""The most seconds for which an alert is muted: a longer silence belongs into the configuration."""


class Alert(Protocol):
    """The commands for one alert."""

    def mute(self, seconds: float) -> Deferred[float]:
        """Mute the alert for some seconds; 0 unmutes it.

        Fires with the end, in seconds since the epoch.
        """

    def test(self) -> Deferred[Any]:
        """Send a test to each address; fires with an entry for each: its error, or None."""


class _Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="command"):
    """A command to an alert."""


class Mute(_Command, tag="mute", frozen=True):
    """The command that silences an alert for a while.

    :ivar lasting: the key ``for``: a duration such as ``"2h"``.
    """

    lasting: str = msgspec.field(name="for")


class Unmute(_Command, tag="unmute", frozen=True):
    """The command that ends a mute."""


class Try(_Command, tag="test", frozen=True):
    """The command that sends a test to each address of an alert."""


_COMMAND: msgspec.json.Decoder[Mute | Unmute | Try] = msgspec.json.Decoder(Mute | Unmute | Try)


class AlertCommands:
    """Answers the requests that mute and test alerts."""

    def __init__(self, access: Access, find: Callable[[str], Alert | None]) -> None:
        """:param find: returns the alert with a name, or None."""
        self._access = access
        self._find = find

    @property
    def routes(self) -> Routes:
        return {f"/alerts/{NAME}": {"POST": self.post_alert}}

    def post_alert(self, request: Request, name: str) -> NeedsBody:
        """``POST /alerts/NAME``: mute or unmute an alert, or send a test.

        :raises Refused: 400, 401, 403, 404, or 503 if the journal is away.
        """
        self._access.check_change(request, Right.COMMAND)
        alert = self._find(name)
        if alert is None:
            raise Refused(404, "unknown-alert", f"there is no alert {shorten(name)}")

        def command(body: bytes) -> Deferred[Response]:
            return _obey(alert, parse_command(_COMMAND, body, "bad-command"))

        return NeedsBody(command)


def _obey(alert: Alert, command: Mute | Unmute | Try) -> Deferred[Response]:
    if isinstance(command, Try):
        return alert.test().addCallback(lambda sent: json_response({"sent": sent}))
    seconds = 0.0
    if isinstance(command, Mute):
        seconds = parse_lasting(command.lasting, MAX_MUTED, "bad-command")
    muting = alert.mute(seconds)
    return muting.addCallback(lambda until: json_response({"until": until if seconds else None}))
