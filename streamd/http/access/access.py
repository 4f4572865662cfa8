"""Access: finds from the head of a request the client that sent it, and the client's rights.

Every transport and every route asks here, and nothing else decides it.  A request that reads gets its
:class:`~streamd.http.access.principal.Principal` from :meth:`Access.admit`, one that changes something
from :meth:`Access.check_change`.

A cookie and a proxy's header come with every request that a browser sends, also for a page of another
site.  They count for changes and WebSockets only with streamd's own Origin, never with a foreign one.

The module is long because all such decisions are made here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from streamd.core.errors import Refused
from streamd.core.rights import ALL_RIGHTS, READER, Rights, no_right
from streamd.core.update import ORIGIN, Position
from streamd.http.access.client_address import UNIX, read_address
from streamd.http.access.credentials import (
    cookie_to_set,
    cookies_of,
    guess_of,
    has_cookie,
    token_of,
)
from streamd.http.access.grants import COOKIE, NO_GRANTS, OF_HOST, UNSEEN, Grant, KnownGrants
from streamd.http.access.guesses import Guesses
from streamd.http.access.local_program import why_not_of_machine
from streamd.http.access.origins import Right
from streamd.http.access.principal import LOCAL, NOBODY, READS_ALL, Principal
from streamd.http.access.rules import NO_RULES, Rules
from streamd.http.handshake import wants_websocket
from streamd.http.request import Request
from streamd.journals.journal import Away

MAX_KNOWN = 4096
"""The most principals that are remembered: more than there are grants.  A forgotten one begins anew."""


class Access:
    """Finds the client that sent a request, and its rights, by rules that are replaced as a whole.

    The class is long because all decisions are made here and need the same principals.

    :ivar epoch: counts how often rights may have ended.
    :ivar rules: the current rules; :meth:`replace` changes them.
    :ivar guesses: the wrong tokens of each client.
    :ivar grants: the cookies that browsers may have.
    :ivar changed: called when rights may have ended, so that the rights of open viewers are checked
        again.
    """

    def __init__(
        self,
        rules: Rules = NO_RULES,
        guesses: Guesses | None = None,
        grants: KnownGrants = NO_GRANTS,
        head: Callable[[], Position] = lambda: ORIGIN,
    ) -> None:
        """:param head: returns the newest position of the log."""
        self.epoch = 0
        self.rules = rules
        self.guesses = guesses or Guesses(lambda: 0.0)
        self.grants = grants
        self.changed: Callable[[], None] = lambda: None
        self._head = head
        self._known: dict[tuple[str, str], Principal] = {}

    def replace(self, rules: Rules) -> None:
        """Use other rules from now on, for requests and for open viewers."""
        self.rules = rules
        self.end_rights()

    def end_rights(self) -> None:
        """Note that rights may have changed or ended, also those of requests that are under way."""
        self.epoch += 1
        self.changed()

    # -- who sent a request ------------------------------------------------------------------------

    def admit(self, request: Request, token: str | None = None, reads: bool = True) -> Request:
        """Return a request that reads, with its principal.

        :param token: a token that its client has sent later; one in the head counts more.
        :param reads: False for a request that only opens a connection to publish and selects no
            stream.
        :raises Refused: 401 without credentials or with an unknown token, 403 if the credentials do
            not allow reading.
        """
        principal = self._reader(request, token)
        if not (principal.rights.view or (principal.rights.publish and not reads)):
            raise self._unread(request, principal)
        return replace(request, principal=principal)

    def recognise(self, request: Request) -> Request:
        """Return a request with its principal, for a path that also answers without credentials."""
        try:
            return replace(request, principal=self._reader(request))
        except Refused:
            return request

    def _reader(self, request: Request, token: str | None = None) -> Principal:
        public = self.rules.is_public
        try:
            principal = self._principal(request, token)
        except Refused:
            if not public:
                raise
            principal = NOBODY  # a token for a proxy, or one that was needed before
        if public and principal is NOBODY:
            return READS_ALL  # one object for all viewers
        if public:
            return principal._replace(rights=principal.rights._replace(view=READER.view))
        return principal

    def _principal(self, request: Request, token: str | None = None) -> Principal:
        """Return the client that the credentials of a request name.

        :param token: a token that is not in the head; one in the head counts more.
        :raises Refused: 401 for a token that is wrong.
        """
        given = token_of(request)
        token = token if given is None else given
        if token is not None:
            found = self.rules.known.principal(token)
            if found is None:
                self.guesses.wrong(request.client.group, token)
                raise Refused(401, "bad-token", "this token is not known")
            return self._settled(found)
        return self._person(request) or self._holder(request) or NOBODY

    def _person(self, request: Request) -> Principal | None:
        identity = self.rules.identity
        if identity is None or not request.proxied or not self._is_of_own_page(request):
            return None
        if not self._trusts(request.host):  # any more: a client of Socket.IO is judged later
            return None
        name = request.headers.get(identity.header, "").strip()
        if not name or "," in name:  # a header of the client beside that of the proxy
            return None
        person = self._person_called(name)
        return person and person._replace(proxy=request.host)

    def _person_called(self, name: str) -> Principal | None:
        identity = self.rules.identity
        if identity is None:
            return None
        rights = ALL_RIGHTS if name in identity.admins else READER
        return Principal("person", name, rights, name)

    def _holder(self, request: Request) -> Principal | None:
        """Return the principal of the grant in a cookie."""
        if not self._is_of_own_page(request):
            return None
        if not self.grants.loaded and has_cookie(request, COOKIE, OF_HOST + COOKIE):
            raise Away("the grants have not been read yet")  # a refusal would sign a screen out
        grant = self.session(request) or next((grant for grant, _ in self._held(request)), None)
        if grant is None:
            return None
        self.grants.saw(grant)
        return self._settled(self._of_grant(grant))

    def session(self, request: Request) -> Grant | None:
        """Return the administrator's session in the cookies of a request from streamd's page.

        It takes precedence over the grant of a screen, which the same browser may have.
        """
        if not self._is_of_own_page(request):
            return None
        return next((grant for grant, _ in self._held(request) if grant.kind == "admin"), None)

    def _held(self, request: Request) -> Iterator[tuple[Grant, str]]:
        """Yield the grants in the cookies of a request, each with its secret."""
        for cookie in self.grants.cookies:
            for secret in cookies_of(request, cookie):
                grant = self.grants.find(secret)
                if grant is not None:
                    yield grant, secret

    def cookie_again(self, request: Request) -> str | None:
        """Return the header ``Set-Cookie`` that makes the browser of a screen keep its cookie.

        Browsers forget a cookie 400 days after it was set, even if they use it (RFC 6265bis, section
        5.5).  None for other clients.
        """
        for grant, secret in self._held(request) if request.rights.screen else ():
            if grant.id == request.principal.key:
                return cookie_to_set(request, self.grants.instance, secret, UNSEEN)
        return None

    def _of_grant(self, grant: Grant) -> Principal:
        return Principal("grant", grant.id, self.rules.rights_of(grant), grant.name)

    def _is_of_own_page(self, request: Request) -> bool:
        """Return whether credentials that a browser adds by itself count for a request."""
        reads = request.method in ("GET", "HEAD")
        if "origin" not in request.headers:
            return reads and not wants_websocket(request) and not _is_embedded(request)
        return self.rules.origins.is_own(request, or_tls=reads)

    def _settled(self, found: Principal) -> Principal:
        """Return a principal with the position from which on it has had its rights."""
        key = found.kind, found.key
        known = self._known.get(key)
        if known is None or known.rights != found.rights:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            had_all = known is None and found.rights.view.all
            since = ORIGIN if had_all else self._head()
            known = self._known[key] = found._replace(since=since)
        return known

    def is_current(self, principal: Principal) -> bool:
        """Return whether a client still has the same streams, walls and screen name.

        The name of a screen matters because its reports go under it.  The walls matter because the
        page of a screen has to ask for its new wall.
        """
        now, before = self.current_rights(principal), principal.rights
        return (now.view, now.walls, now.screen) == (before.view, before.walls, before.screen)

    def current_rights(self, principal: Principal) -> Rights:
        """Return the rights that a client has now."""
        found: Principal | None = None
        if principal.kind == "token":
            found = self.rules.known.of_hash(principal.key)
        elif principal.kind == "person" and self._trusts(principal.proxy):
            found = self._person_called(principal.key)
        elif principal.kind == "grant":
            grant = self.grants.get(principal.key)
            found = self._of_grant(grant) if grant is not None else None
        rights = found.rights if found is not None else Rights()
        return rights._replace(view=READER.view) if self.rules.is_public else rights

    def _trusts(self, proxy: str) -> bool:
        return self.rules.proxies.trusts(read_address(proxy) or UNIX)

    # -- what it may do ----------------------------------------------------------------------------

    def check_change(self, request: Request, right: Right, token: str | None = None) -> Principal:
        """Refuse a change unless the page and the credentials of the request allow it.

        The report of a screen needs no credentials.  Local programs may publish without them.

        :param token: a token from the body, for clients that send no ``Authorization`` header.
        :returns: the client that sent it; its rights have the streams that it may publish.
        :raises Refused: 401 without valid credentials, 403 for a foreign origin or without the right.
        """
        self.rules.origins.check_page(request, right)
        if right is Right.REPORT:
            return NOBODY
        if token is not None and not self.rules.tokens.publish:
            token = None  # clients of Smashing always send a token; ignore it if none is configured
        principal = self._principal(request, token)
        if not principal.is_known:
            if "authorization" in request.headers:
                raise Refused(401, "bad-token", "expected Authorization: Bearer or Streamd-Token")
            self._check_without_token(request, right)
            return LOCAL
        rights = principal.rights
        if not (rights.publish if right is Right.PUBLISH else rights.admin):
            raise no_right(right.value)
        return principal

    def check_metrics(self, request: Request, is_open: bool) -> None:
        """Refuse a reader of the metrics, unless a token or the place of the client allows it.

        :param is_open: whether the port serves only metrics.  There a token is needed only if
            ``[access] metrics`` has one.
        :raises Refused: 401 without a valid token, 403 if the token lacks the right.
        """
        tokens = self.rules.tokens
        if tokens.metrics or tokens.admin:
            principal = self._principal(request)
            if principal.rights.metrics:
                return
            if principal.is_known:
                raise no_right("reading metrics")
        why = why_not_of_machine(request, self.rules.local.only_unix)
        if why and not (is_open and not tokens.metrics):
            raise Refused(
                401,
                "no-token",
                "reading metrics needs a token (Authorization: Bearer TOKEN), one of [access] "
                f"metrics in streamd.toml{why}",
            )

    def refusal(self, request: Request, right: Right) -> Refused | None:
        """Return the error with which :meth:`check_change` refuses a request, or None."""
        try:
            self.check_change(request, right)
        except Refused as refused:
            return refused
        return None

    def check_report(self, principal: Principal, name: str) -> None:
        """Refuse the report of a screen under a name that belongs to the grant of another client.

        A client that may read nothing may not report: it would get the commands for a screen.

        :raises Refused: 403.
        """
        if not principal.rights.view:
            raise no_right("reporting as a screen")
        own = principal.rights.screen
        grant = self.grants.get(principal.key) if principal.kind == "grant" else None
        if grant is not None:
            self.grants.saw(grant)  # a screen may stay connected for a year
        if name != own and (own or name in self.grants.screens()):
            raise no_right(f"reporting as the screen {name}")

    def knows(self, request: Request, token: str | None = None) -> bool:
        """Return whether a request has valid credentials of any kind; a wrong token is counted.

        :param token: a token from another place; see :meth:`check_change`.
        """
        try:
            return self._principal(request, token).is_known
        except Refused:
            return False

    def pause(self, request: Request) -> float:
        """Return the seconds for which a request has to wait before its secret is judged."""
        if not self.guesses.any:  # the usual case
            return 0.0
        try:
            guess = guess_of(request)
        except Refused:  # what is no token is refused at once
            return 0.0
        return 0.0 if guess is None else self.guesses.pause(request.client.group, guess)

    # -- why not -----------------------------------------------------------------------------------

    def _unread(self, request: Request, principal: Principal) -> Refused:
        if principal.is_known:
            return no_right("reading")
        if any(any(cookies_of(request, name)) for name in self.grants.cookies):
            message = "this browser was signed out: its grant was revoked, or has expired"
            return Refused(401, "signed-out", message)
        way = (
            "one of [access] view in streamd.toml" if self.rules.tokens.view else "see docs/access"
        )
        message = f"reading needs a token (Authorization: Bearer TOKEN), {way}"
        return Refused(401, "no-token", message)

    def _check_without_token(self, request: Request, right: Right) -> None:
        """Refuse a request without a token, unless it is a publish of a program on this machine.

        A proxy that adds no header and passes no Host looks like such a program.
        """
        key = "publish" if right is Right.PUBLISH else "admin"
        cure = ""
        if right is Right.PUBLISH and self.rules.local.publish:
            cure = self.rules.local.why_no_publish(request)
            if not cure:
                return
        raise Refused(
            401,
            "no-token",
            f"{right.value} needs a token (Authorization: Bearer TOKEN), one of [access] {key} in "
            f"streamd.toml{cure}",
        )


def _is_embedded(request: Request) -> bool:
    """Return whether a page of another origin loads this as an image, a script or the like.

    Browsers send no Origin then, but the site and the mode if TLS or this machine is at the other end
    (Fetch Metadata).  They send a cookie also to other ports and hosts of one site.
    """
    is_foreign = request.headers.get("sec-fetch-site") in ("cross-site", "same-site")
    return is_foreign and request.headers.get("sec-fetch-mode") != "navigate"
