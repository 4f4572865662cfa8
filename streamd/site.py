"""HTTP on the port: which request goes where."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http

from streamd.access import Access
from streamd.channel import Answer, Channel, Exchange
from streamd.http import Request, Response, error_response
from streamd.transports.events import EventStreams
from streamd.transports.poll import Polls
from streamd.transports.publish import Publisher
from streamd.transports.read import Reader
from streamd.transports.websocket import StreamFactory
from streamd.update import Refused

View = Callable[..., Answer]


class Route(NamedTuple):
    """A path and what can be done there; the groups of the pattern are handed to the view."""

    pattern: re.Pattern[str]
    views: Mapping[str, View]


class Site(http.HTTPFactory):
    """Everything that is served on the port.

    :ivar channels: connections that speak HTTP now.
    :ivar bodies: bytes of bodies that are under way.
    :ivar turned_away: connections that were one too many.
    :ivar left: connections that speak HTTP no more, ever.
    """

    noisy = False
    _log = Logger()

    def __init__(
        self,
        access: Access,
        reader: Reader,
        publisher: Publisher,
        viewers: StreamFactory,
        events: EventStreams,
        polls: Polls,
        page: Mapping[str, Response],
        clock: IReactorTime,
        max_connections: int,
    ) -> None:
        super().__init__(reactor=clock)
        self.access = access
        self.clock = clock
        self.channels: set[Channel] = set()
        self.bodies = 0
        self.turned_away = 0
        self.left = 0
        self._sets: Sequence[Collection[object]] = (
            self.channels,
            viewers.protocols,
            events.protocols,
        )
        self._upgrade = viewers.upgrade
        self._max_connections = max_connections
        name = r"([^/]+)"
        routes: dict[str, dict[str, View]] = {
            "/state": {"GET": reader.get_state, "PATCH": publisher.patch_state},
            "/streams": {"GET": reader.get_streams},
            f"/streams/{name}": {
                "GET": reader.get_stream,
                "POST": publisher.post_stream,
                "DELETE": publisher.delete_stream,
            },
            f"/widgets/{name}": {"POST": publisher.post_widget},
            "/events": {"GET": events.get_events},
            "/updates": {"GET": polls.get_updates},
            "/healthz": {"GET": reader.get_health},
            "/ws": {"GET": _want_upgrade},
        }
        self._routes = [Route(re.compile(path), views) for path, views in routes.items()]
        self._page = page

    def buildProtocol(self, addr: IAddress | None) -> Any:
        if sum(map(len, self._sets)) >= self._max_connections:
            self.turned_away += 1
            return None
        channel = Channel()
        channel.site = self
        channel.requestFactory = Exchange
        channel.factory = self
        channel.callLater = self.clock.callLater
        return channel

    def startFactory(self) -> None:
        """No access log, and so no timer for its date."""

    def stopFactory(self) -> None:
        """See startFactory."""

    def log(self, request: http.Request) -> None:
        """No access log."""

    def note_failure(self, what: str, failure: Failure) -> None:
        """What no client may read."""
        self._log.failure(what, failure)

    def connected(self, channel: Channel) -> None:
        self.channels.add(channel)

    def disconnected(self, channel: Channel) -> None:
        self.channels.discard(channel)
        self.left += 1

    def close_all(self) -> None:
        """Close what still speaks HTTP."""
        for channel in list(self.channels):
            channel.abort()

    def answer(self, request: Request) -> Answer:
        """What ``request`` gets.

        :raises Refused: what the asker may read.
        """
        if _wants_websocket(request):
            self.access.check_reader(request.headers)
            return self._upgrade(request)
        page = self._page.get(request.path)
        if page is not None and request.method in ("GET", "HEAD"):
            self.access.check_reader(request.headers)
            return _unless_known(page, request)
        for route in self._routes:
            match = route.pattern.fullmatch(request.path)
            if match:
                return self._call(route, match, request)
        if page is not None:
            return _not_allowed(("GET",))
        raise Refused(404, "not-found", "there is nothing here")

    def _call(self, route: Route, match: re.Match[str], request: Request) -> Answer:
        method = "GET" if request.method == "HEAD" else request.method
        if method == "OPTIONS":
            self.access.check_reader(request.headers)
            allowed = ", ".join(route.views)
            return Response(
                204,
                b"",
                {
                    "Allow": allowed,
                    "Access-Control-Allow-Methods": allowed,
                    "Access-Control-Allow-Headers": "authorization, content-type, "
                    "idempotency-key, last-event-id, streamd-time",
                },
            )
        view = route.views.get(method)
        if view is None:
            return _not_allowed(route.views)
        if method == "GET":
            self.access.check_reader(request.headers)
        return view(request, *match.groups())


def _want_upgrade(request: Request) -> Response:
    headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
    return error_response(426, "upgrade-required", "this path is a WebSocket", headers)


def _not_allowed(methods: Iterable[str]) -> Response:
    return error_response(
        405, "not-allowed", f"possible here: {', '.join(methods)}", {"Allow": ", ".join(methods)}
    )


def _wants_websocket(request: Request) -> bool:
    return (
        request.method == "GET"
        and request.path in ("/", "/ws")
        and "websocket" in request.headers.get("upgrade", "").lower()
    )


def _unless_known(page: Response, request: Request) -> Response:
    if page.headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(304, b"", page.headers)
    return page


def load_page(folder: Path) -> dict[str, Response]:
    """The static page, read once: path -> answer.  Nothing else of the disk can be asked for.

    :raises FileNotFoundError: if there is no ``index.html``.
    """
    page: dict[str, Response] = {}
    for file in sorted(folder.rglob("*")):
        relative = file.relative_to(folder)
        if not file.is_file() or any(part.startswith(".") for part in relative.parts):
            continue
        body = file.read_bytes()
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        page[f"/{relative.as_posix()}"] = Response(
            200,
            body,
            {
                "Content-Type": kind,
                "Cache-Control": "no-cache",
                "ETag": f'"{hashlib.sha256(body).hexdigest()[:16]}"',
            },
        )
    if "/index.html" not in page:
        raise FileNotFoundError(folder / "index.html")
    page["/"] = page["/index.html"]
    return page
