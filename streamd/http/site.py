"""The site: the table of paths, and the connections on its ports.

The module is long because the site also counts and logs its refusals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocolNegotiationFactory, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from zope.interface import implementer

from streamd.config.tables import RateSettings
from streamd.core.errors import Refused
from streamd.http.access.access import Access
from streamd.http.access.client_address import TrustedProxies, read_address
from streamd.http.access.credentials import TOKEN_HEADER, has_token
from streamd.http.access.private_answers import ending, private, with_cookie
from streamd.http.admin.links import LINK
from streamd.http.admin.refusals import Refusals
from streamd.http.admin.sign_in import SESSION_PATH
from streamd.http.bodies import Packer, Unread
from streamd.http.channel import Channel
from streamd.http.connection_limits import ConnectionLimits
from streamd.http.door import Door
from streamd.http.exchange import Answer
from streamd.http.handshake import wants_websocket
from streamd.http.peer import Peer
from streamd.http.rates import Rates
from streamd.http.request import (
    NAME,
    REST,
    Handover,
    NeedsBody,
    Request,
    Response,
    Routes,
    error_response,
)
from streamd.http.request_log import RequestLog
from streamd.http.uploads import Uploads
from streamd.journals.journal import Away
from streamd.reactor.connections import Connections
from streamd.reactor.slices import Slices
from streamd.wire.requests import LOG_HEADER

View = Callable[..., Answer]

_LOG = LOG_HEADER.lower()
_HEALTH, _EVENTS, _METRICS = "/healthz", "/events", "/metrics"

_ALWAYS = frozenset((_HEALTH, _EVENTS))
"""Paths that a surplus connection may ask for: monitors get an answer, and seats limit viewers."""

_OF_SCREENS = "/screens/"
"""The beginnings of the paths that a screen asks for when it starts."""

_FOR_ANYBODY = frozenset((_HEALTH, "/reached", LINK, SESSION_PATH))
"""Paths that need no right to read streams.  The first tells no name without one.  The secret in a link
is the right.  The last one says whether the client has to sign in."""


class Part(Protocol):
    """A part of the site, which answers some paths."""

    @property
    def routes(self) -> Routes:
        """The paths of this part; parts may share a path if their methods differ."""


@implementer(IProtocolNegotiationFactory)
class Site(http.HTTPFactory):
    """The factory for all connections on the ports: routes requests and bounds connections.

    The class is long because it also counts and logs refusals.

    :ivar channels: connections that speak HTTP or have sent nothing yet.
    :ivar private: the addresses of the ports that are bound to a loopback address.
    :ivar turns: does delayed work, for each client address in turn.
    :ivar uploads: the room for bodies of requests that are being received.
    :ivar request_log: writes the lines about requests.
    :ivar left: how many HTTP connections have ended or become viewers since the start.
    :ivar requests: how many requests were answered or refused, without handshakes.
    :ivar handshakes: how many WebSocket handshakes were answered or refused.
    :ivar refused: how many requests and handshakes were refused, by the code of the refusal.
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
        upgrade: Callable[[Request], Handover],
        limits: ConnectionLimits,
        uploads: Uploads,
        clock: IReactorTime,
        security: Mapping[str, str],
        unread: Unread,
        packer: Packer,
        public: Collection[str] = (),
        rates: Rates | None = None,
        refusals: Refusals | None = None,
        own_upgrades: Mapping[str, Callable[[Request], Handover]] | None = None,
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
        :param rates: decides which requests come too fast; by default those with the default limits.
        :param refusals: keeps the refused attempts; None to keep none.
        :param own_upgrades: the same as ``upgrade`` for paths whose part judges all requests by itself:
            their origins, rates and rights.  A token may come after the first request.
        """
        super().__init__(reactor=clock)
        self.access = access
        self._refusals = refusals
        self._rates = rates or Rates(RateSettings(), access, clock.seconds)
        self.private: Collection[IAddress] = ()
        self.clock = clock
        self.channels: Connections[Channel | Door] = Connections(clock)
        self.limits = limits
        self.turns = Slices(clock, pause=0)
        self.uploads = uploads
        self.packer = packer
        self.unread = unread
        self.security = security
        self.request_log = RequestLog(access, clock)
        self.left = self.requests = self.handshakes = 0
        self.refused: Counter[str] = Counter()
        self._public = public
        self._upgrade = upgrade
        self._own_upgrades = own_upgrades or {}
        self._log_missing = log_missing
        self._life = life
        self._fixed: dict[str, dict[str, View]] = {}  # path -> method -> view
        self._named: dict[str, dict[str, View]] = {}  # the same, by the path before the name
        self._below: dict[str, dict[str, View]] = {}  # the same, by the first part of the path
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
        if last == REST:
            return self._below.setdefault(parent, {})
        return self._fixed.setdefault(path, {})

    @property
    def proxies(self) -> TrustedProxies:
        """The proxies whose forwarding headers count."""
        return self.access.rules.proxies

    def take_ports(self, addresses: Collection[IAddress]) -> None:
        """Note the addresses of the open ports, and log who may publish without a token."""
        read = {address: read_address(getattr(address, "host", "")) for address in addresses}
        self.private = {address for address, ip in read.items() if ip and ip.is_loopback}
        note = self.access.rules.local.note(
            has_unix=None in read.values(), has_private=bool(self.private)
        )
        if note:
            self._log.warn("{note}", note=note)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        return Door(self, self._speak_http)

    def _speak_http(self, peer: Peer) -> Channel:
        channel = Channel(self, peer)
        channel.factory = self
        return channel

    def acceptableProtocols(self) -> list[bytes]:
        """Return the protocols for ALPN; browsers reject a TLS server that offers none."""
        return [b"http/1.1"]

    def startFactory(self) -> None:
        """Start no timer: Twisted's is for the date in an access log, which streamd does not have."""

    def stopFactory(self) -> None:
        """Stop no timer."""

    @property
    def logs_answers(self) -> bool:
        return self.request_log.all

    def log(self, request: http.Request) -> None:
        """Note that a request was answered; Twisted calls this."""
        self.request_log.answered(request)

    def note_failure(self, what: str, failure: Failure) -> None:
        self._log.failure(what, failure)

    def note_refused(self, error: Refused, request: Request | None) -> None:
        """Count a refusal, and log it if the operator should know."""
        self.refused[error.code] += 1
        if request is not None:
            self.request_log.refused(error, request)
            if self._refusals is not None:
                self._refusals.note(error, request)

    def connected(self, channel: Channel | Door) -> None:
        self.channels.add(channel)
        # With the PROXY protocol the first bytes have the peer's address, and a door has read none.
        is_unknown = isinstance(channel, Door) and channel.peer.is_relayed
        client = "" if is_unknown else channel.peer.counted_as
        if not self.limits.admit(channel, client) or self.request_log.left_out("displaced") is None:
            return
        refused = self.limits.refusal(client)
        why = refused.message if refused is not None else "there are too many connections"
        self._log.warn("connections that sent nothing are closed for newer ones: {why}", why=why)

    def is_surplus(self, channel: Channel, request: Request) -> bool:
        return self.limits.is_surplus(channel, request.client.group)

    def answer_surplus(self, channel: Channel, request: Request) -> Answer:
        # Administrators come with a token, too.  A wrong one is refused by the view, which counts it.
        may_publish = request.method not in ("GET", "HEAD") and has_token(request)
        refused = self.limits.refusal(request.client.group)
        if refused and not (may_publish or request.path in _ALWAYS or wants_websocket(request)):
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
        told = request.headers.get(_LOG)
        if told is None or told != (own := str(self._life())):
            return None
        text = "a source of streamd may not read streamd itself"
        return error_response(508, "loop", text, {LOG_HEADER: own})

    def answer(self, request: Request) -> Answer:
        if wants_websocket(request):
            return self._viewer(request)
        self.requests += 1
        self._check_rate(request)
        views = self._fixed.get(request.path)
        if views is not None:
            return self._call(views, request)
        parent, _, name = request.path.rpartition("/")
        views = self._named.get(parent)
        if views is not None and name:
            return self._call(views, request, name)
        _, first, *rest = request.path.split("/", 2)
        views = self._below.get(f"/{first}")
        if views is not None and rest:
            return self._call(views, request, *rest)
        raise Refused(404, "not-found", "there is nothing here")

    def answer_again(self, request: Request, asked: NeedsBody) -> None:
        self.requests += 1
        self._check_rate(request)
        self._check_log(request)
        if asked.again is not None:
            asked.again()

    def _check_rate(self, request: Request) -> None:
        """Refuse a request that comes too fast.  An event stream costs as much as a handshake.

        :raises Refused: 429.
        """
        # A page that lacks one of its files stays broken: no browser asks for a module again.
        is_free = request.path in self._public or request.path in self._own_upgrades
        if request.path == _EVENTS:
            self._rates.check_handshake(request)
        elif not is_free and (request.path != _HEALTH or "strict" in request.query):
            self._rates.check(request)

    def viewer(self, request: Request) -> Handover | None:
        if not wants_websocket(request):
            return None
        if self.refuse_itself(request) or self.access.pause(request):
            return None  # the HTTP channel tells it, or makes it wait
        return self._viewer(request)

    def _viewer(self, request: Request) -> Handover:
        self.handshakes += 1
        upgrade = self._own_upgrades.get(request.path)
        if upgrade is not None:
            self._check_log(request)
            return upgrade(request)
        self._rates.check_handshake(request)
        self.access.rules.origins.check_reader(request)
        request = self.access.admit(request, reads=request.query.get("streams") != "")
        self._check_log(request)
        return self._upgrade(request)

    def _check_log(self, request: Request) -> None:
        """Raise :class:`Away` while there is no log: without it, no streams would seem to exist.

        The reason names servers.  Where reading asks, only clients with valid credentials are told it.
        """
        why = self._log_missing()
        if why is None:
            return
        may_know = request.principal.is_known or self.access.rules.is_public
        raise Away(why if may_know or self.access.knows(request) else "there is no log yet")

    def _with_log(self, view: View, request: Request, *name: str) -> Answer:
        self._check_log(request)
        return view(request, *name)

    def _read(self, view: View, request: Request, *name: str) -> Answer:
        """Answer a request that reads, if its page and its credentials allow it."""
        self.access.rules.origins.check_reader(request)
        if request.path in _FOR_ANYBODY:
            answer = view(self.access.recognise(request), *name)
        elif request.path == _METRICS:
            answer = view(request, *name)
        else:
            request = self.access.admit(request)
            answer = ending(view(request, *name), request.principal)
            if request.path.startswith(_OF_SCREENS) and isinstance(answer, Response):
                answer = with_cookie(answer, self.access.cookie_again(request))
        return answer if self.access.rules.is_public else private(answer)

    def _call(self, views: Mapping[str, View], request: Request, *name: str) -> Answer:
        method = "GET" if request.method == "HEAD" else request.method
        view = views.get(method)
        if view is not None:
            judges = request.path in self._public or request.path in self._own_upgrades
            if method == "GET" and not judges:
                return self._read(view, request, *name)
            return view(request, *name)
        allowed = ", ".join(views)
        if method == "OPTIONS":
            self.access.rules.origins.check_preflight(request)
            possible = {
                "Allow": allowed,
                "Access-Control-Allow-Methods": allowed,
                "Access-Control-Allow-Headers": "authorization, content-type, idempotency-key, "
                f"last-event-id, streamd-time, {TOKEN_HEADER}",
            }
            return Response(204, b"", possible)
        return error_response(405, "not-allowed", f"possible here: {allowed}", {"Allow": allowed})


def _abort(channel: Channel | Door) -> None:
    channel.abort()
