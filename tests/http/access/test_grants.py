"""Grants: made, changed, seen, revoked and expired, in every kind of journal."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.http.access.grants import (
    GRANTS,
    MAX_GRANTS,
    NOTE_EVERY,
    SEEN,
    TURN,
    UNSEEN,
    Grants,
    hash_of,
)
from streamd.journals.journal import Away
from tests.support.fakes import Daemonette


class GrantsTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.daemon = Daemonette()
        self.clock = self.daemon.clock
        self.changes = 0
        self.grants = self.started()

    def started(self) -> Grants:
        """The grants of a daemon that starts with this journal."""
        grants = Grants(self.daemon.journal, self.daemon.times.now, self.clock)
        grants.changed = self._changed
        grants.start()
        self.addCleanup(grants.stop)
        return grants

    def _changed(self) -> None:
        self.changes += 1

    def make(self, *about: Any, **more: Any) -> tuple[str, str]:
        """Make a grant; return its id and its secret."""
        grant, secret = self.successResultOf(self.grants.make(*about, **more))
        return grant.id, secret

    def refusal(self, call: Any, *arguments: Any) -> tuple[int, str]:
        refused = self.assertRaises(Refused, call, *arguments)
        return refused.status, refused.code


class GrantTests(GrantsTestCase):
    def test_only_the_secret_finds_it(self) -> None:
        id, secret = self.make("screen", "tv", "hall")
        found = self.grants.find(secret)
        assert found is not None
        self.assertEqual(
            (id, "screen", "tv", "hall"), (found.id, found.kind, found.name, found.wall)
        )
        for wrong in ("", id, found.hash, secret[:-1], secret + "a", "\udc80"):
            self.assertIsNone(self.grants.find(wrong))

    def test_the_journal_has_no_secret(self) -> None:
        _, secret = self.make("screen", "tv", "hall")
        records = self.successResultOf(self.daemon.journal.records(GRANTS))
        self.assertNotIn(secret, repr(records))
        self.assertIn(hash_of(secret), repr(records))

    def test_a_restart_keeps_it(self) -> None:
        _, secret = self.make("screen", "tv", "hall")
        again = self.started()
        self.assertEqual(self.grants.find(secret), again.find(secret))
        self.assertEqual(self.grants.cookies, again.cookies)

    def test_before_the_records_are_read_nothing_is_known(self) -> None:
        grants = Grants(self.daemon.journal, self.daemon.times.now, self.clock)
        self.assertEqual((), grants.cookies)
        self.assertRaises(Away, grants.make, "link", "a")

    def test_revoked(self) -> None:
        id, secret = self.make("screen", "tv", "hall")
        self.successResultOf(self.grants.revoke(id))
        self.assertIsNone(self.grants.find(secret))
        self.assertEqual(2, self.changes)
        self.assertIsNone(self.started().find(secret))
        self.assertEqual((404, "unknown-grant"), self.refusal(self.grants.revoke, id))

    def test_a_link_ends_in_time(self) -> None:
        _, secret = self.make("link", "guests", "hall", lasts=60)
        self.clock.advance(59)
        self.assertIsNotNone(self.grants.find(secret))
        self.assertEqual(1, self.changes)
        self.clock.advance(1)
        self.assertIsNone(self.grants.find(secret))
        self.clock.advance(TURN)
        self.assertEqual(2, self.changes)
        self.assertEqual([], self.grants.listing())

    def test_a_screen_lasts_as_long_as_it_is_seen(self) -> None:
        _, secret = self.make("screen", "tv", "hall")
        for _ in range(3):
            self.clock.advance(UNSEEN - 1)
            grant = self.grants.find(secret)
            assert grant is not None
            self.grants.saw(grant)
            self.assertEqual(self.daemon.times.now(), self.started().seen(grant))
        self.clock.pump([TURN, UNSEEN, TURN])
        self.assertIsNone(self.grants.find(secret))
        self.assertEqual({}, self.successResultOf(self.daemon.journal.records(GRANTS)))

    def test_that_it_was_seen_is_noted_once_an_hour(self) -> None:
        _, secret = self.make("screen", "tv", "hall")
        grant = self.grants.find(secret)
        assert grant is not None
        self.grants.saw(grant)
        self.assertEqual({}, self.successResultOf(self.daemon.journal.records(SEEN)))
        self.clock.advance(NOTE_EVERY)
        self.grants.saw(grant)
        seen = self.successResultOf(self.daemon.journal.records(SEEN))
        self.assertEqual([grant.id], list(seen))

    def test_that_it_was_seen_brings_no_revoked_grant_back(self) -> None:
        other = self.started()
        id, secret = self.make("screen", "tv", "hall")
        grant = self.grants.find(secret)
        assert grant is not None
        self.successResultOf(self.grants.revoke(id))
        self.clock.advance(NOTE_EVERY)
        other.saw(grant)
        self.assertIsNone(self.started().find(secret))

    def test_changed(self) -> None:
        id, secret = self.make("screen", "tv", "hall")
        self.successResultOf(self.grants.change(id, name="lobby-tv", wall="lobby"))
        grant = self.started().find(secret)
        assert grant is not None
        self.assertEqual(("lobby-tv", "lobby"), (grant.name, grant.wall))
        self.assertEqual(3, self.changes)  # the second daemon finds it, too

    def test_a_name_belongs_to_one_screen(self) -> None:
        self.make("screen", "tv", "hall")
        id, _ = self.make("screen", "other", "hall")
        taken = (409, "name-taken")
        self.assertEqual(taken, self.refusal(self.grants.make, "screen", "tv", "hall"))
        self.assertEqual(taken, self.refusal(lambda: self.grants.change(id, name="tv")))
        self.make("link", "tv", "hall")
        self.assertEqual({"tv", "other"}, set(self.grants.screens()))

    def test_they_are_bounded(self) -> None:
        for number in range(MAX_GRANTS):
            self.make("link", f"{number}")
        self.assertEqual((429, "too-many-grants"), self.refusal(self.grants.make, "link", "a"))

    def test_a_record_that_cannot_be_read_harms_no_other(self) -> None:
        id, secret = self.make("screen", "tv", "hall")
        for name, record in (("a", b"{"), ("b", b"\xff"), ("c", b'{"hash": 1}')):
            self.daemon.journal.put(GRANTS, name, record, None)
        self.daemon.journal.put(SEEN, id, b"-", None)
        self.assertIsNotNone(self.started().find(secret))


class OtherNodeTests(GrantsTestCase):
    """Two nodes that share a journal; a memory journal stands for it."""

    def setUp(self) -> None:
        super().setUp()
        self.daemon.journal.shared = True
        self.other = self.started()

    def test_the_other_node_knows_within_a_turn(self) -> None:
        id, secret = self.make("screen", "tv", "hall")
        self.assertIsNone(self.other.find(secret))
        self.clock.advance(TURN)
        self.assertEqual(self.grants.find(secret), self.other.find(secret))
        self.successResultOf(self.other.revoke(id))
        self.assertIsNotNone(self.grants.find(secret))
        before = self.changes
        self.clock.advance(TURN)
        self.assertIsNone(self.grants.find(secret))
        self.assertGreater(self.changes, before)

    def test_a_change_brings_no_grant_back_that_another_node_has_revoked(self) -> None:
        id, secret = self.make("screen", "tv", "hall")
        self.clock.advance(TURN)
        self.successResultOf(self.other.revoke(id))
        refused = self.failureResultOf(self.grants.change(id, name="tv2"), Refused).value
        self.assertEqual((404, "unknown-grant"), (refused.status, refused.code))
        self.assertIsNone(self.grants.find(secret))
        self.clock.advance(TURN)
        for node in (self.grants, self.other, self.started()):
            self.assertIsNone(node.find(secret))

    def test_changes_at_two_nodes_both_count(self) -> None:
        id, secret = self.make("screen", "tv", "hall")
        self.clock.advance(TURN)
        self.successResultOf(self.other.change(id, wall="vault"))
        self.successResultOf(self.grants.change(id, name="tv2"))
        grant = self.started().find(secret)
        assert grant is not None
        self.assertEqual(("tv2", "vault"), (grant.name, grant.wall))

    def test_two_nodes_let_one_screen_in_once(self) -> None:
        self.successResultOf(self.other.make_for(hash_of("a"), "tv", "hall"))
        refused = self.failureResultOf(self.grants.make_for(hash_of("a"), "tv2", "vault"), Refused)
        self.assertEqual("already-paired", refused.value.code)
        grant = self.started().find("a")
        assert grant is not None
        self.assertEqual("tv", grant.name)

    def test_nodes_agree_on_the_cookie(self) -> None:
        self.assertEqual(self.grants.cookies, self.other.cookies)
        self.daemon.journal.put("instance", "00000000", b"1", None)  # of a third node
        self.clock.advance(TURN)
        self.assertEqual(self.grants.cookies, self.other.cookies)
        self.assertIn("streamd-00000000", self.grants.cookies)

    def test_records_from_before_an_own_change_do_not_count(self) -> None:
        journal, real = self.daemon.journal, self.daemon.journal.records
        waiting: list[Any] = []

        def slow(kind: str) -> Any:
            found = self.successResultOf(real(kind))
            answer: Deferred[Any] = Deferred()
            waiting.append(lambda: answer.callback(found))
            return answer

        self.other.stop()
        journal.records = slow  # type: ignore[method-assign]
        self.clock.advance(TURN)  # it begins to read
        waiting.pop(0)()  # the instance
        _, secret = self.make("screen", "tv", "hall")
        while waiting:
            waiting.pop(0)()
        self.assertIsNotNone(self.grants.find(secret))

    def test_while_the_journal_is_away_known_grants_count(self) -> None:
        _, secret = self.make("screen", "tv", "hall")

        def away(kind: str) -> Any:
            answer: Deferred[Any] = Deferred()
            answer.errback(Away("gone"))
            return answer

        self.daemon.journal.records = away  # type: ignore[method-assign]
        self.clock.pump([TURN] * 3)
        self.assertIsNotNone(self.grants.find(secret))
