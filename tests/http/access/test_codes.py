"""Codes: how many wait, how long, and at which node."""

from __future__ import annotations

from ipaddress import ip_address

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.http.access.client_address import ClientAddress
from streamd.http.access.codes import (
    ALPHABET,
    CODES,
    LASTS,
    LENGTH,
    MAX_OF_CLIENT,
    MAX_WAITING,
    READ_EVERY,
    Codes,
    Waiting,
)
from streamd.http.access.grants import Grants
from tests.support.fakes import Daemonette


def client(number: int = 1) -> ClientAddress:
    return ClientAddress(ip_address(f"10.0.{number >> 8}.{number & 255}"))


class CodesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.daemon = Daemonette()
        self.grants = Grants(self.daemon.journal, self.daemon.times.now, self.daemon.clock)
        self.grants.start()
        self.addCleanup(self.grants.stop)
        self.codes = self.node()

    def node(self) -> Codes:
        """The codes as another node, or a daemon that was started again, knows them."""
        return Codes(self.daemon.journal, self.grants, self.daemon.times.now)

    def begin(self, secret: str, number: int = 1) -> tuple[Waiting, str]:
        return self.successResultOf(self.codes.begin(secret, client(number)))

    def code(self, secret: str) -> str:
        return self.begin(secret)[1]

    def refusal(self, deferred: object) -> tuple[int, str]:
        refused = self.failureResultOf(deferred, Refused).value
        return refused.status, refused.code

    def test_a_code_has_no_letters_that_look_alike(self) -> None:
        self.assertFalse(set(ALPHABET) & set("AEIOU01258"))
        code = self.code("a")
        self.assertEqual(LENGTH, len(code))
        self.assertLessEqual(set(code), set(ALPHABET))

    def test_a_screen_keeps_its_code_at_every_node(self) -> None:
        first = self.begin("a")
        self.assertEqual(first, self.begin("a"))
        again = self.node().begin("a", client())
        self.assertEqual(first, self.successResultOf(again))
        self.assertNotEqual(first[1], self.code("b"))

    def test_a_code_ends(self) -> None:
        first = self.code("a")
        self.daemon.times.clock.advance(LASTS + 1)
        self.assertEqual((404, "unknown-code"), self.refusal(self.approve(first)))
        self.assertNotEqual(first, self.code("a"))

    def test_a_code_that_was_just_read_ends_as_well(self) -> None:
        first = self.begin("a")
        self.daemon.times.clock.advance(LASTS - READ_EVERY / 4)
        self.assertEqual(first, self.begin("a"))
        self.daemon.times.clock.advance(READ_EVERY / 2)
        self.assertNotEqual(first[1], self.code("a"))

    def approve(self, code: str, name: str = "tv") -> object:
        return self.codes.approve(code, name, "hall")

    def test_few_screens_of_an_address_wait(self) -> None:
        for number in range(MAX_OF_CLIENT):
            self.begin(str(number))
        refused = self.codes.begin("more", client())
        self.assertEqual((429, "too-many-codes"), self.refusal(refused))
        self.begin("0")  # it has one
        self.begin("more", 2)

    def test_few_screens_wait(self) -> None:
        for number in range(MAX_WAITING):
            self.begin(str(number), number)
        refused = self.codes.begin("more", client(999))
        self.assertEqual((503, "too-many-codes"), self.refusal(refused))
        records = self.successResultOf(self.daemon.journal.records(CODES))
        self.assertEqual(MAX_WAITING, len(records))
        self.daemon.times.clock.advance(LASTS + 1)
        self.begin("more", 999)

    def test_a_burst_keeps_the_bounds(self) -> None:
        asked = [self.codes.begin(str(number), client()) for number in range(50)]
        for each in asked[MAX_OF_CLIENT:]:
            self.assertEqual((429, "too-many-codes"), self.refusal(each))

    def test_the_journal_has_neither_secret_nor_code(self) -> None:
        code = self.code("a secret of a screen")
        records = self.successResultOf(self.daemon.journal.records(CODES))
        self.assertNotIn("a secret of a screen", repr(records))
        self.assertNotIn(code, repr(records))

    def test_the_list_has_the_codes_that_this_node_has_told(self) -> None:
        waiting, code = self.begin("a")
        self.assertEqual([(waiting, code)], self.successResultOf(self.codes.listing()))
        other = self.node()
        self.assertEqual([(waiting, "")], self.successResultOf(other.listing()))
        self.successResultOf(other.begin("a", client()))
        self.assertEqual([(waiting, code)], self.successResultOf(other.listing()))

    def test_a_code_makes_one_grant(self) -> None:
        code = self.code("a")
        other = self.node()
        waiting, grant = self.successResultOf(other.approve(code, "tv", "hall"))
        self.assertEqual((str(client()), "tv", "hall"), (waiting.address, grant.name, grant.wall))
        self.assertEqual(grant, self.grants.find("a"))
        self.assertIsNone(self.grants.find(code))
        self.assertEqual((404, "unknown-code"), self.refusal(self.approve(code, "tv2")))
        self.assertEqual([], self.successResultOf(self.codes.listing()))

    def test_a_name_that_is_taken_leaves_the_code(self) -> None:
        first, second = self.code("a"), self.code("b")
        self.successResultOf(self.codes.approve(first, "tv", "hall"))
        self.assertEqual((409, "name-taken"), self.refusal(self.approve(second)))
        self.successResultOf(self.codes.approve(second, "other", "hall"))

    def test_a_node_that_knows_no_grant_yet_makes_no_second_code(self) -> None:
        code = self.code("a")
        self.successResultOf(self.node().approve(code, "tv", "hall"))
        self.daemon.journal.shared = True
        self.daemon.times.clock.advance(READ_EVERY + 1)
        refused = self.codes.begin("a", client())
        self.assertEqual((503, "just-paired"), self.refusal(refused))

    def test_a_damaged_record_is_left_out(self) -> None:
        self.successResultOf(self.daemon.journal.put(CODES, "KXWQRF", b"{", 60))
        self.assertEqual([], self.successResultOf(self.codes.listing()))
