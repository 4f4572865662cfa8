"""Rates of requests: how often one client may ask, begin a WebSocket, or try to publish.

Quotas bound what a client holds at one time.  Rates bound how often it does something.  Programs on
this machine have no limit.  Programs with a valid token are limited only if ``token_publishes`` is
configured.
"""

from __future__ import annotations

from collections.abc import Callable

from streamd.config.tables import RateSettings
from streamd.core.errors import Refused
from streamd.core.rate import Rate
from streamd.http.access.access import Access
from streamd.http.access.credentials import HOOKS, WIDGETS, WRITES, secrets_in, written_token_of
from streamd.http.publishing.senders import is_secret
from streamd.http.request import Request


class Rates:
    """Decides which requests come too fast."""

    def __init__(
        self, settings: RateSettings, access: Access, seconds: Callable[[], float]
    ) -> None:
        """:param seconds: the monotonic clock."""
        self._access = access
        self._seconds = seconds
        self._settings: RateSettings | None = None
        self.change(settings)

    def change(self, settings: RateSettings) -> None:
        """Use other limits from now on; every client may then begin with a burst."""
        if settings == self._settings:
            return
        self._settings = settings
        self._handshakes = Rate(settings.handshakes)
        self._requests = Rate(settings.requests)
        self._publishes = Rate(settings.publishes)
        self._by_token = Rate(settings.token_publishes)

    def check_handshake(self, request: Request) -> None:
        """Refuse a handshake if its client makes too many.

        :raises Refused: 429.
        """
        self._check(request, self._handshakes, "handshakes")

    def check(self, request: Request) -> None:
        """Refuse a request if its client makes too many.

        Publishes, deletions and commands are counted separately.

        :raises Refused: 429.
        """
        if request.method in ("GET", "HEAD", "OPTIONS"):
            self.check_request(request)
        elif not request.path.startswith(WIDGETS):  # the token is in the body
            self._check(request, self._publishes, "publishes")

    def check_request(self, request: Request) -> None:
        """Refuse a request that only reads, with any method, if its client makes too many.

        :raises Refused: 429.
        """
        self._check(request, self._requests, "requests")

    def check_publisher(self, publisher: str) -> None:
        """Refuse a publish if too many come with its token.

        :param publisher: the place of the token in the configuration; empty without a token.
        :raises Refused: 429.
        """
        wait = self._by_token.take(publisher, self._seconds()) if publisher else 0.0
        if wait:
            raise _too_many(
                f"the token publish[{publisher}]", self._by_token, "token_publishes", wait
            )

    def _check(self, request: Request, rate: Rate, key: str) -> None:
        client = request.client
        if client.is_loopback or client.ip is None:
            return
        wait = rate.take(client.group, self._seconds())
        if wait and not self._knows(request):
            raise _too_many(client.group, rate, key, wait)

    def _knows(self, request: Request) -> bool:
        """Return whether a request has valid credentials; a wrong one is counted as a guess."""
        name = request.path.removeprefix(HOOKS) if request.path.startswith(HOOKS) else ""
        hook = self._access.rules.hooks.get(name)
        if hook is None:
            token = written_token_of(request) if request.path in WRITES else None
            return self._access.knows(request, token)
        # The secret of a hook is not a token of [access], and so a right one would count as a guess.
        given = secrets_in(request)
        if any(is_secret(each, hook.secret) for each in given):
            return True
        if not hook.sender.signature:  # a signature can only be judged with the body
            for each in given:
                self._access.guesses.wrong(request.client.group, each)
        return False


def _too_many(who: str, rate: Rate, key: str, wait: float) -> Refused:
    what = key.replace("token_", "")
    return Refused(
        429,
        f"too-many-{what}",
        f"{who} makes more than {rate.per_second:g} {what} a second; to allow more, raise "
        f"{key} in [server.rates] of streamd.toml",
        wait,
    )
