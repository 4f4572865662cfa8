"""The signs of a proxy, and the lines that mend one."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.http.access import proxies
from streamd.http.access.proxies import PREFIX, TOLD_PREFIX, Cure, is_of_proxy

CURES = [value for value in vars(proxies).values() if isinstance(value, Cure)]


class SignTests(SynchronousTestCase):
    def test_headers_of_proxies(self) -> None:
        for name in ("x-forwarded-for", "forwarded", "via", "cf-ray", "x-real-ip", "proxy-client"):
            self.assertTrue(is_of_proxy(name), name)
        for name in ("host", "origin", "user-agent", "streamd-token", "sec-websocket-key"):
            self.assertFalse(is_of_proxy(name), name)

    def test_every_proxy_has_a_line(self) -> None:
        for cure in CURES:
            for name in Cure._fields:
                self.assertTrue(getattr(cure, name), name)
        for line in (*PREFIX, *TOLD_PREFIX):
            self.assertIn("/floor2", line.format(prefix="/floor2"))
