"""Whose address counts, behind which proxies."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.http.access.client_address import NO_PROXIES, UNIX, TrustedProxies, read_address
from streamd.http.request import Handover, Request
from tests.support.served import Serve, in_thread

PROXIES = TrustedProxies(map(ip_network, ("127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48")))


class ClientTests(SynchronousTestCase):
    def test_whose_address_counts(self) -> None:
        for peer, header, client in (
            # Without a proxy, or without a header.
            ("192.0.2.1", None, "192.0.2.1"),
            ("127.0.0.1", None, "127.0.0.1"),
            ("127.0.0.1", "", "127.0.0.1"),
            ("127.0.0.1", " , ,", "127.0.0.1"),
            # The header of a peer that is not trusted.
            ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
            ("127.0.0.2", "198.51.100.7", "127.0.0.2"),
            # The last entry that is not a trusted proxy's.
            ("127.0.0.1", "198.51.100.7", "198.51.100.7"),
            ("127.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
            ("127.0.0.1", "203.0.113.9,198.51.100.7 ,10.1.2.3, 10.9.9.9", "198.51.100.7"),
            ("127.0.0.1", "garbage, 198.51.100.7", "198.51.100.7"),
            ("127.0.0.1", ",, 198.51.100.7,", "198.51.100.7"),
            # All of them are trusted proxies: the first is the client.
            ("127.0.0.1", "10.1.2.3", "10.1.2.3"),
            ("127.0.0.1", "10.1.2.3, 10.4.5.6", "10.1.2.3"),
            # What has to be read is no address.
            ("127.0.0.1", "unknown", "127.0.0.1"),
            ("127.0.0.1", "198.51.100.7, _hidden, 10.1.2.3", "127.0.0.1"),
            ("127.0.0.1", "198.51.100.7; 198.51.100.8", "127.0.0.1"),
            ("127.0.0.1", "198.51.100.007", "127.0.0.1"),
            ("127.0.0.1", "1" * 5000, "127.0.0.1"),
            # Forms of one address.
            ("::ffff:127.0.0.1", "::ffff:198.51.100.7", "198.51.100.7"),
            ("::ffff:192.0.2.1", None, "192.0.2.1"),
            ("127.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
            ("127.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
            ("127.0.0.1", "[2001:db8::1]", "2001:db8::1"),
            ("2001:db8:1::5", "2001:DB8:0::7", "2001:db8::7"),
            # A zone may be any text.
            ("fe80::1%eth0", None, "fe80::1"),
            ("127.0.0.1", "2001:db8::7%" + "x" * 5000, "2001:db8::7"),
            ("127.0.0.1", "[::1%1]:80", "::1"),
            ("127.0.0.1", "127.0.0.1%x", "127.0.0.1"),
            # A unix socket that is no trusted proxy.
            ("", None, "unix"),
            ("", "198.51.100.7", "unix"),
        ):
            self.assertEqual(client, str(PROXIES.client(peer, header)), (peer, header))

    def test_a_unix_socket_is_a_proxy_if_it_is_configured(self) -> None:
        proxies = TrustedProxies(unix=True)
        self.assertEqual("198.51.100.7", str(proxies.client("", "198.51.100.7")))
        self.assertEqual(UNIX, proxies.client("", "garbage"))
        self.assertEqual("127.0.0.1", str(proxies.client("127.0.0.1", "198.51.100.7")))

    def test_without_trusted_proxies_no_header_counts(self) -> None:
        for peer in ("127.0.0.1", "::1", ""):
            self.assertEqual(peer or "unix", str(NO_PROXIES.client(peer, "198.51.100.7")))
        self.assertFalse(NO_PROXIES)
        self.assertTrue(PROXIES)
        self.assertTrue(TrustedProxies(unix=True))

    @given(
        st.text(), st.lists(st.sampled_from(["10.0.0.1", "198.51.100.7", "", "x", ":", "[", "%"]))
    )
    def test_no_header_raises(self, text: str, entries: list[str]) -> None:
        PROXIES.client("127.0.0.1", text)
        PROXIES.client(text, ",".join(entries))
        PROXIES.client("127.0.0.1", ",".join([text, *entries]))


class AddressTests(SynchronousTestCase):
    def test_facts(self) -> None:
        for text, group, is_loopback in (
            ("198.51.100.7", "198.51.100.7", False),
            ("::ffff:198.51.100.7", "198.51.100.7", False),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", False),
            ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64", False),
            ("fe80::1%eth0", "fe80::/64", False),
            ("127.0.0.2", "127.0.0.2", True),
            ("::1", "::1", True),
            ("::ffff:127.0.0.1", "127.0.0.1", True),
        ):
            address = read_address(text)
            assert address is not None
            facts = address.group, address.is_loopback
            self.assertEqual((group, is_loopback), facts, text)

    def test_a_unix_socket(self) -> None:
        self.assertEqual(("unix", False), (UNIX.group, UNIX.is_loopback))


@in_thread
def test_a_request_knows_its_client(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve('[server]\ntrusted_proxies = ["127.0.0.1"]')
    site, seen = served.service.site, []
    viewer = site.viewer

    def spy(request: Request) -> Handover | None:
        seen.append(str(request.client))
        return viewer(request)

    monkeypatch.setattr(site, "viewer", spy)
    chain = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}
    assert served.request("GET", "/state", headers=chain).status == 200
    with served.connect(additional_headers=chain):
        pass
    assert set(seen) == {"198.51.100.7"}
    del seen[:]
    assert served.request("GET", "/state").status == 200
    assert set(seen) == {"127.0.0.1"}
