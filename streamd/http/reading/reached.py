"""``GET /reached``: how a request has arrived, for ``streamd doctor``."""

from __future__ import annotations

from collections.abc import Callable

from streamd import __version__
from streamd.http.access.proxies import is_of_proxy
from streamd.http.request import Request, Response, Routes, json_response


class Reached:
    """Shows a client how its requests arrive at the daemon."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now

    @property
    def routes(self) -> Routes:
        return {"/reached": {"GET": self.get_reached}}

    def get_reached(self, request: Request) -> Response:
        """``GET /reached``: the address of the wall, the client, the proxy, the version and the time.

        The address of a proxy that is not trusted stays in the log: it is often of a private network.
        """
        proxy = proxy_of(request)
        hidden = proxy == "unlisted" and request.client.kind in ("private", "public")
        about = {
            "version": __version__,
            "now": self._now(),
            "address": request.address,
            "client": request.client.kind if hidden else str(request.client),
            "proxy": proxy,
            "tls": request.secure,
            "http": request.version.removeprefix("HTTP/"),
        }
        return json_response(about, headers={"Cache-Control": "no-store"})


def proxy_of(request: Request) -> str:
    """Return whether a proxy brought a request, and which kind of proxy.

    ``none``: no proxy.  ``trusted``: its forwarding headers count.  ``relayed``: it uses the PROXY
    protocol.  ``unlisted``: its forwarding headers are ignored.
    """
    if request.relayed:
        return "relayed"
    if request.proxied:
        return "trusted"
    told = any(map(is_of_proxy, request.headers)) or request.version == "HTTP/1.0"
    return "unlisted" if told else "none"
