"""Screens over HTTP: their list, and commands from an administrator."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Annotated, Any, Literal

import msgspec
from twisted.internet.defer import Deferred, maybeDeferred

from streamd.core.rights import no_right, no_wall
from streamd.http.access.access import Access
from streamd.http.access.origins import Right
from streamd.http.admin.command_body import parse_command, parse_lasting
from streamd.http.request import NAME, NeedsBody, Request, Response, Routes, json_response
from streamd.hub.screens import Screens
from streamd.wire.v1 import v1_message

MAX_SHOWN = 3600.0
"""The most seconds for which a message may cover a wall."""


class _Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="command"):
    """A command to a screen."""


class ReloadCommand(_Command, tag="reload", frozen=True):
    """Reload the page."""


class Identify(_Command, tag="identify", frozen=True):
    """Show the screen's name, large."""


class ShowWall(_Command, tag="wall", frozen=True):
    """Show another wall."""

    wall: str


class ShowPlaylist(_Command, tag="playlist", frozen=True):
    """Show the walls of the screen's table again, after a command for another wall."""


class ShowMessage(_Command, tag="message", frozen=True):
    """Show a message for a while.  A message of spaces removes the current one.

    :ivar shown: the key ``for``: a duration.
    :ivar place: the key ``as``: the message covers the screen, or is a line at its bottom.
    """

    message: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    shown: str = msgspec.field(name="for", default="30s")
    place: Literal["screen", "line"] = msgspec.field(name="as", default="screen")


_COMMAND = msgspec.json.Decoder(ReloadCommand | Identify | ShowWall | ShowPlaylist | ShowMessage)


class Commands:
    """Answers the requests that list screens and send commands to them."""

    def __init__(
        self,
        access: Access,
        screens: Screens,
        walls: Callable[[], Collection[str]],
        now: Callable[[], float],
    ) -> None:
        """:param walls: returns the names of all walls.

        :param now: returns the time in seconds since the epoch.
        """
        self._access = access
        self._screens = screens
        self._walls = walls
        self._now = now

    @property
    def routes(self) -> Routes:
        return {
            "/screens": {"GET": self.get_screens},
            f"/screens/{NAME}": {"POST": self.post_screen},
        }

    def get_screens(self, request: Request) -> Response:
        """``GET /screens``: the wall of each screen, its position, and whether it is connected.

        :raises Refused: 403 if the client may not read all streams and walls.
        """
        if not request.rights.reads_all:
            raise no_right("reading the list of screens")
        return json_response({"screens": self._screens.listing(self._now())})

    def post_screen(self, request: Request, name: str) -> NeedsBody:
        """``POST /screens/NAME``: make a screen reload, or show its name, a wall or a message.

        :raises Refused: 400, 401, 403, 404, 409 or 503.
        """
        self._access.check_change(request, Right.COMMAND)

        def command(body: bytes) -> Deferred[Response]:
            text = v1_message("command", self._parse(body)).text
            said = maybeDeferred(self._screens.command, name, text)
            return said.addCallback(lambda told: json_response(told._asdict()))

        return NeedsBody(command)

    def _parse(self, body: bytes) -> dict[str, Any]:
        command = parse_command(_COMMAND, body, "bad-command")
        fields: dict[str, Any] = msgspec.to_builtins(command)
        if isinstance(command, ShowMessage):
            fields["for"] = parse_lasting(command.shown, MAX_SHOWN, "bad-command")
        if isinstance(command, ShowWall) and command.wall not in self._walls():
            raise no_wall(command.wall, self._walls(), 400)
        return fields
