"""The other end of a connection: what is found once, and what each request needs."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.http.access.client_address import NO_PROXIES, TrustedProxies
from streamd.http.peer import Peer

PORT = IPv4Address("TCP", "127.0.0.1", 5000)
PROXIES = TrustedProxies([ip_network("10.0.0.0/8")])


class SiteOfOnePort:
    """As much of a site as a peer asks for."""

    private = frozenset((PORT,))

    def __init__(self, proxies: TrustedProxies = NO_PROXIES) -> None:
        self.proxies = proxies


class PeerTests(SynchronousTestCase):
    def peer(self, host: str = "10.0.0.1", proxies: TrustedProxies = NO_PROXIES) -> Peer:
        self.site = SiteOfOnePort(proxies)
        site: Any = self.site
        address: Any = IPv4Address("TCP", host, 1234) if host else UNIXAddress(None)
        return Peer(StringTransport(PORT, address), site)

    def test_each_address_is_asked_for_once(self) -> None:
        asked: list[str] = []

        class AskedTransport(StringTransport):
            def getPeer(self) -> Any:
                asked.append("peer")
                return super().getPeer()

            def getHost(self) -> Any:
                asked.append("host")
                return super().getHost()

        site: Any = SiteOfOnePort()
        peer = Peer(AskedTransport(PORT, IPv4Address("TCP", "10.0.0.1", 1234)), site)
        for _ in range(3):
            peer.request(b"GET", b"/", b"HTTP/1.1", {})
        self.assertEqual(["peer", "host"], asked)

    def test_request(self) -> None:
        request = self.peer().request(b"GET", b"/a%20b?x=1&x=2", b"HTTP/1.1", {"host": "tv"})
        self.assertEqual(
            ("/a b", {"x": "2"}, "10.0.0.1"), (request.path, request.query, request.host)
        )
        self.assertTrue(request.private)
        self.assertFalse(request.proxied or request.relayed or request.secure)

    def test_target_with_a_host(self) -> None:
        peer = self.peer()
        request = peer.request(b"GET", b"http://tv/a", b"HTTP/1.1", {"host": "TV"})
        self.assertEqual("/a", request.path)
        for uri, headers in ((b"http://other/a", {"host": "tv"}), (b"/%ff", {})):
            refused = self.assertRaises(Refused, peer.request, b"GET", uri, b"HTTP/1.1", headers)
            self.assertEqual(400, refused.status)

    def test_proxy_that_is_trusted_is_no_client(self) -> None:
        peer = self.peer(proxies=PROXIES)
        self.assertEqual("", peer.counted_as)
        forwarded = {"x-forwarded-for": "192.0.2.7"}
        self.assertEqual(
            "192.0.2.7", peer.request(b"GET", b"/", b"HTTP/1.1", forwarded).client.group
        )
        self.site.proxies = NO_PROXIES  # by a reload
        request = peer.request(b"GET", b"/", b"HTTP/1.1", forwarded)
        self.assertEqual((False, "10.0.0.1"), (request.proxied, request.client.group))
        self.assertEqual("10.0.0.1", peer.counted_as)

    def test_unix_socket(self) -> None:
        peer = self.peer("")
        self.assertEqual(("", "unix"), (peer.host, peer.counted_as))
