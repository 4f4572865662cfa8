"""The site: the table of paths, and the connections on its ports."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocolNegotiationFactory, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from zope.interface import implementer

from streamd.core.errors import Refused, shorten
from streamd.http.access import Access, Right
from streamd.http.bodies import Packer, Unread
from streamd.http.channel import Channel
from streamd.http.client_address import NO_PROXIES, TrustedProxies, read_address
from streamd.http.connection_limits import ConnectionLimits
from streamd.http.door import Door
from streamd.http.exchange import Answer
from streamd.http.handshake import wants_websocket
from streamd.http.request import (
    NAME,
    Handover,
    NeedsBody,
    Request,
    Response,
    Routes,
    error_response,
)
from streamd.http.uploads import Uploads
from streamd.journals.journal import Away
from streamd.reactor.connections import Connections
from streamd.reactor.slices import Slices
from streamd.wire.requests import LOG_HEADER

View = Callable[..., Answer]

_TOLD = {
    "foreign-origin": "a page",
    "unknown-host": "a page",
    "busy": "a client",
    "too-many-connections": "a client",
    "too-many-viewers": "a viewer",
    "too-much-for-one-client": "a client",
    "bad-token": "a client",
    "no-token": "a client",
}
"""Codes of refusals that are logged, and for each the client that is refused, as the log names it."""

_ALWAYS = frozenset(("/healthz", "/events"))
"""Paths that a surplus connection may ask for: monitors get an answer, and seats limit viewers."""

_SAY_EVERY = 60.0
"""Seconds between two log lines about refusals with the same code and the same kind of address."""


class Part(Protocol):
    """A part of the site, which answers some paths."""

    @property
    def routes(self) -> Routes:
        """The paths of this part; parts may share a path if their methods differ."""


@implementer(IProtocolNegotiationFactory)
class Site(http.HTTPFactory):
    """The factory for all connections on the ports: routes requests and bounds connections.

    :ivar channels: connections that speak HTTP or have sent nothing yet.
    :ivar private: the addresses of the ports that are bound to a loopback address.
    :ivar turns: lets client addresses take turns.
    :ivar uploads: the room for bodies of requests that are being received.
    :ivar left: how many HTTP connections have ended or become viewers since the start.
    """

    noisy = False
    _log = Logger()

    def __init__(
        self,
        access: Access,
        parts: Iterable[Part],
        log_parts: Iterable[Part],
        log_missing: Callable[[], str | None],
        life: Callable[[], int],
        upgrade: Callable[[Request, Refused | None], Handover],
        limits: ConnectionLimits,
        uploads: Uploads,
        clock: IReactorTime,
        security: Mapping[str, str],
        unread: Unread,
        packer: Packer,
        public: Collection[str] = (),
        proxies: TrustedProxies = NO_PROXIES,
    ) -> None:
        """:param parts: the parts that can always answer.

        :param log_parts: the parts that answer from the log; without a log they get no requests.
        :param log_missing: returns the reason why there is no log yet; None once the log is there.
        :param life: returns the life of the log.
        :param upgrade: makes a viewer from a WebSocket handshake.
        :param limits: decides which connections stay.
        :param uploads: the room for bodies of requests that are being received.
        :param security: headers that every answer gets.
        :param unread: counts the memory of the answers that are being sent.
        :param packer: compresses answers.
        :param public: paths of files without data, which pages of every origin may read.  If a proxy
            changes the Host header, requests for the wall's own modules have a foreign Origin.
        :param proxies: the proxies whose forwarding headers count.
        """
        super().__init__(reactor=clock)
        self.access = access
        self.proxies = proxies
        self.private: Collection[IAddress] = ()
        self.clock = clock
        self.channels: Connections[Channel | Door] = Connections(clock)
        self.limits = limits
        self.turns = Slices(clock, pause=0)
        self.uploads = uploads
        self.packer = packer
        self.unread = unread
        self.security = security
        self.left = 0
        self._public = frozenset(public)
        self._said: dict[tuple[str, ...], tuple[float, int]] = {}
        self._upgrade = upgrade
        self._log_missing = log_missing
        self._life = life
        self._fixed: dict[str, dict[str, View]] = {}  # path -> method -> view
        self._named: dict[str, dict[str, View]] = {}  # the same, by the path before the name
        for part in parts:
            for path, views in part.routes.items():
                self._views(path).update(views)
        for part in log_parts:
            for path, views in part.routes.items():
                of_log = {method: partial(self._with_log, view) for method, view in views.items()}
                self._views(path).update(of_log)

    def _views(self, path: str) -> dict[str, View]:
        """Return the views of a path in :data:`Routes`, to be changed."""
        parent, _, last = path.rpartition("/")
        if last == NAME:
            return self._named.setdefault(parent, {})
        return self._fixed.setdefault(path, {})

    def take_ports(self, addresses: Collection[IAddress]) -> None:
        """Note the addresses of the open ports, and log who may publish without a token."""
        read = {address: read_address(getattr(address, "host", "")) for address in addresses}
        self.private = {address for address, ip in read.items() if ip and ip.is_loopback}
        note = self.access.note(has_unix=None in read.values(), has_private=bool(self.private))
        if note:
            self._log.warn("{note}", note=note)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        return Door(self, self._speak_http)

    def _speak_http(self) -> Channel:
        channel = Channel(self)
        channel.factory = self
        return channel

    def acceptableProtocols(self) -> list[bytes]:
        """Return the protocols for ALPN; browsers reject a TLS server that offers none."""
        return [b"http/1.1"]

    def startFactory(self) -> None:
        """Start no timer: Twisted's is for the date in an access log, which streamd does not have."""

    def stopFactory(self) -> None:
        """Stop no timer."""

    def log(self, request: http.Request) -> None:
        """Write no access log."""

    def note_failure(self, what: str, failure: Failure) -> None:
        self._log.failure(what, failure)

    def note_refused(self, error: Refused, request: Request | None) -> None:
        """Log a refusal that the operator should know, once a minute for each kind of address.

        A browser shows no reason, and a page retries forever.
        """
        if error.code not in _TOLD or request is None:
            return
        more = self._not_said(error.code, request.client.kind)
        if more is None:
            return
        self._log.warn(
            "{who} was refused: {reason} ({method} {path} from {client}; {more} more like this before)",
            who=_TOLD[error.code],
            reason=error.message,
            method=request.method,
            path=shorten(request.path),
            client=request.client,
            more=more,
        )

    def _not_said(self, *kind: str) -> int | None:
        """Return how many lines of a kind were left out before this one; None: leave it out, too."""
        at, more = self._said.get(kind, (-_SAY_EVERY, 0))
        now = self.clock.seconds()
        if now - at < _SAY_EVERY:
            self._said[kind] = at, more + 1
            return None
        self._said[kind] = now, 0
        return more

    def connected(self, channel: Channel | Door) -> None:
        self.channels.add(channel)
        peer = self.proxies.client(getattr(channel.transport.getPeer(), "host", ""), None)
        client = "" if self.proxies.trusts(peer) else peer.group
        if not self.limits.admit(channel, client) or self._not_said("displaced") is None:
            return
        refused = self.limits.refusal(client)
        why = refused.message if refused is not None else "there are too many connections"
        self._log.warn("connections that sent nothing are closed for newer ones: {why}", why=why)

    def is_surplus(self, channel: Channel, request: Request) -> bool:
        return self.limits.is_surplus(channel, request.client.group)

    def answer_surplus(self, channel: Channel, request: Request) -> Answer:
        # Administrators come with a token, too.  A wrong one is refused by the view, which counts it.
        has_token = request.method not in ("GET", "HEAD") and "authorization" in request.headers
        refused = self.limits.refusal(request.client.group)
        if refused and not (has_token or request.path in _ALWAYS or wants_websocket(request)):
            raise refused
        answer = self.answer(request)
        if isinstance(answer, NeedsBody) and not answer.from_anyone:
            self.limits.keep(channel, request.client.group)  # nothing newer displaces it
        return answer

    def disconnected(self, channel: Channel | Door) -> None:
        self.channels.discard(channel)
        self.limits.release(channel)
        self.left += isinstance(channel, Channel)

    def close_all(self) -> Deferred[None]:
        """Close each HTTP connection when its answer was sent; fires when all are closed.

        Connections that do not read their answer are aborted after a short time.
        """
        return self.channels.close_all(lambda channel: channel.loseConnection(), _abort)

    def refuse_itself(self, request: Request) -> Response | None:
        """Return the refusal of a request that an HTTP source of this log sent; None for others."""
        own = str(self._life())
        if request.headers.get(LOG_HEADER.lower()) != own:
            return None
        text = "a source of streamd may not read streamd itself"
        return error_response(508, "loop", text, {LOG_HEADER: own})

    def answer(self, request: Request) -> Answer:
        viewer = self.viewer(request)
        if viewer is not None:
            return viewer
        views = self._fixed.get(request.path)
        if views is not None:
            return self._call(views, request)
        parent, _, name = request.path.rpartition("/")
        views = self._named.get(parent)
        if views is not None and name:
            return self._call(views, request, name)
        raise Refused(404, "not-found", "there is nothing here")

    def viewer(self, request: Request) -> Handover | None:
        if not wants_websocket(request):
            return None
        self.access.check_reader(request)
        self._check_log()
        return self._upgrade(request, self.access.refusal(request, Right.REPORT))

    def _check_log(self) -> None:
        """Raise :class:`Away` while there is no log: without it, no streams would seem to exist."""
        why = self._log_missing()
        if why is not None:
            raise Away(why)

    def _with_log(self, view: View, request: Request, *name: str) -> Answer:
        self._check_log()
        return view(request, *name)

    def _call(self, views: Mapping[str, View], request: Request, *name: str) -> Answer:
        method = "GET" if request.method == "HEAD" else request.method
        view = views.get(method)
        if view is not None:
            if method == "GET" and request.path not in self._public:
                self.access.check_reader(request)
            return view(request, *name)
        allowed = ", ".join(views)
        if method == "OPTIONS":
            self.access.check_preflight(request)
            possible = {
                "Allow": allowed,
                "Access-Control-Allow-Methods": allowed,
                "Access-Control-Allow-Headers": "authorization, content-type, idempotency-key, "
                "last-event-id, streamd-time",
            }
            return Response(204, b"", possible)
        return error_response(405, "not-allowed", f"possible here: {allowed}", {"Allow": allowed})


def _abort(channel: Channel | Door) -> None:
    channel.abort()
