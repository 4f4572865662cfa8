"""Refused attempts: which are kept, how many, and what each one says."""

from __future__ import annotations

from ipaddress import ip_address

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.http.access.client_address import ClientAddress
from streamd.http.admin.refusals import MAX_MESSAGE, MAX_REFUSALS, Refusals
from streamd.http.request import Request


def request(address: str = "10.0.0.7", path: str = "/state") -> Request:
    query = {"key": "a secret in a query"}
    return Request("GET", path, query, client=ClientAddress(ip_address(address)))


class RefusalsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 1000.0
        self.refusals = Refusals(lambda: self.now)

    def note(self, code: str = "bad-token", **where: str) -> None:
        self.refusals.note(Refused(401, code, "this token is not known"), request(**where))

    def test_one_entry_for_each_reason_and_address(self) -> None:
        self.note()
        self.note("no-token")
        self.note(address="10.0.0.8")
        self.now = 1060.0
        self.note(path="/walls")
        told = [(each.address, each.code, each.times) for each in self.refusals.listing()]
        first = ("10.0.0.7", "bad-token", 2)
        self.assertEqual([first, ("10.0.0.8", "bad-token", 1), ("10.0.0.7", "no-token", 1)], told)
        newest = self.refusals.listing()[0]
        self.assertEqual((1060.0, "GET", "/walls"), (newest.at, newest.method, newest.path))

    def test_mistakes_are_no_attempts(self) -> None:
        for code in ("not-found", "bad-value", "journal-away", "too-large"):
            self.note(code)
        self.assertEqual([], self.refusals.listing())

    def test_they_are_bounded(self) -> None:
        for number in range(MAX_REFUSALS + 5):
            self.note(address=f"10.0.{number >> 8}.{number & 255}", path="/" + "x" * 10_000)
        kept = self.refusals.listing()
        self.assertEqual(MAX_REFUSALS, len(kept))
        self.assertEqual("10.0.0.5", kept[-1].address)
        self.assertLess(len(kept[0].path), 200)
        self.refusals.note(Refused(403, "no-right", "y" * 10_000), request())
        self.assertEqual(MAX_MESSAGE, len(self.refusals.listing()[0].message))

    def test_the_query_is_left_out(self) -> None:
        self.note()
        self.assertNotIn("secret", repr(self.refusals.listing()))
