"""``GET /reached``: how a request looks from the daemon."""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamd import __version__
from streamd.http.access.client_address import ClientAddress
from streamd.http.reading.reached import Reached
from streamd.http.request import Request
from tests.support.served import QUIET, Serve, in_thread

FORWARDED = {
    "X-Forwarded-For": "203.0.113.9, 198.51.100.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "wall.example",
    "X-Forwarded-Prefix": "/floor2",
}


@in_thread
def test_trusted_proxy_tells_client_and_address(serve: Serve) -> None:
    server = '[server]\nhosts = ["wall.example"]\ntrusted_proxies = ["127.0.0.1"]'
    about: dict[str, Any] = (
        serve(f"{QUIET}\n{server}").request("GET", "/reached", headers=FORWARDED).json()
    )
    assert about.pop("now") > 1e9
    assert about == {
        "version": __version__,
        "address": "https://wall.example/floor2/",
        "client": "198.51.100.7",
        "proxy": "trusted",
        "tls": False,
        "http": "1.1",
    }


class ReachedTests(SynchronousTestCase):
    def about(self, address: str, **fields: Any) -> tuple[str, str, str]:
        client = ClientAddress(ip_address(address))
        request = Request("GET", "/reached", client=client, host=address, **fields)
        body = Reached(lambda: 5.0).get_reached(request).body
        assert isinstance(body, bytes)
        about = json.loads(body)
        return about["address"], about["client"], about["proxy"]

    def test_address_of_an_unlisted_proxy_is_not_reported(self) -> None:
        headers = {"host": "wall.example", **{k.lower(): v for k, v in FORWARDED.items()}}
        for address, told in (
            ("127.0.0.1", "127.0.0.1"),
            ("10.1.2.3", "private"),
            ("8.8.8.8", "public"),
        ):
            seen = self.about(address, headers=headers)
            self.assertEqual(("http://wall.example/", told, "unlisted"), seen)

    def test_without_a_proxy(self) -> None:
        seen = self.about("10.1.2.3", headers={"host": "wall.example:5000"})
        self.assertEqual(("http://wall.example:5000/", "10.1.2.3", "none"), seen)

    def test_http_1_0_is_a_proxy(self) -> None:
        self.assertEqual("unlisted", self.about("127.0.0.1", version="HTTP/1.0")[2])

    def test_proxy_protocol(self) -> None:
        self.assertEqual("relayed", self.about("192.0.2.1", relayed=True)[2])
