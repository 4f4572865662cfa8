"""What nodes tell each other beside the log: two of them, on one journal in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamd.cluster.peers import COMMANDS, LASTS, REMEMBERED, SCREENS, SINCE, TURN, Peers
from streamd.core.errors import Refused
from streamd.core.histories.blocks import Blocks
from streamd.core.histories.saving import FOLLOWED, GAPS
from streamd.core.stream import UNREPORTED, VOUCHED
from streamd.core.update import ORIGIN, Draft, Update
from streamd.hub.screens import Screens, Told
from streamd.journals.journal import Away
from streamd.journals.memory import MemoryJournal
from streamd.sources.errors import SourceError
from streamd.sources.feed import Feed
from streamd.sources.former import FormerSources
from streamd.sources.records import HEALTH, STREAMS
from streamd.wire.requests import ScreenReport
from tests.hub.test_screens import Terminal
from tests.support.fakes import LIFE, TODAY, Daemonette


class Node(Daemonette):
    """One of two: it follows the same log, and may run the source ``shop``."""

    def __init__(self, first: Node | None = None) -> None:
        self.second: Node | None = None
        super().__init__()
        if first is not None:
            first.second = self
            self.journal, self.times, self.clock = first.journal, first.times, first.clock
        self.shop: Feed = self.feed()
        self.shift = SimpleNamespace(name="shop", feed=self.shop, runs=False)
        self.screens = Screens()
        shifts: Any = [self.shift]
        former = FormerSources(self.journal, self.state, self.times.now, self._changed)
        self.peers = Peers(
            self.journal,
            self.state,
            shifts,
            former,
            self.screens,
            self.times.now,
            self.clock,
            self._changed,
        )

    def committed(self, updates: Sequence[Update]) -> None:
        super().committed(updates)
        if self.second is not None:
            self.second.committed(updates)


class Distant:
    """A journal that is some way off: what is asked in one turn goes there and back together."""

    WAY = 0.01
    shared = False

    def __init__(self, journal: MemoryJournal, clock: Clock) -> None:
        self.life = journal.life
        self.trips = 0
        self._journal, self._clock = journal, clock
        self._asked: list[tuple[Callable[..., Any], Any, Deferred[Any]]] = []

    def put(self, *given: Any) -> Deferred[Any]:
        return self._ask(self._journal.put, given)

    def records(self, *given: Any) -> Deferred[Any]:
        return self._ask(self._journal.records, given)

    def _ask(self, method: Callable[..., Any], given: Any) -> Deferred[Any]:
        if not self._asked:
            self._clock.callLater(self.WAY, self._arrive)
        answer: Deferred[Any] = Deferred()
        self._asked.append((method, given, answer))
        return answer

    def _arrive(self) -> None:
        asked, self._asked = self._asked, []
        self.trips += 1
        for method, given, answer in asked:
            method(*given).chainDeferred(answer)


class Together:
    """A journal in memory as one that is shared: it has leases, and tells what it has stored."""

    shared = True

    def __init__(self, journal: MemoryJournal) -> None:
        self.blocks: dict[str, dict[int, bytes | None]] = {}
        self.leased = True
        self.read = 0
        self._journal = journal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def acquire(self, lease: str, seconds: float) -> Deferred[Any]:
        return succeed(7 if self.leased else None)

    def release(self, lease: str) -> Deferred[None]:
        return succeed(None)

    def store(self, blocks: Blocks) -> Deferred[None]:
        for name, parts in blocks.items():
            self.blocks.setdefault(name, {}).update(parts)
        return succeed(None)

    def stored(self, name: str) -> Deferred[Any]:
        return succeed(self.blocks.get(name, {}))

    def read_again(self) -> None:
        self.read += 1


class Full(Terminal):
    """A screen that takes nothing."""

    def command(self, text: bytes) -> None:
        raise Refused(503, "busy", "too much waits")


class PeersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.one = Node()
        self.other = Node(self.one)
        self.one.shift.runs = True

    def start(self) -> None:
        self.one.peers.start()
        self.other.peers.start()

    def turn(self, seconds: float = TURN) -> None:
        self.one.clock.advance(seconds)

    def command(self, node: Node, screen: str, text: bytes) -> Any:
        return self.successResultOf(node.screens.command(screen, text))

    def test_all_see_what_the_one_that_runs_a_source_sees(self) -> None:
        self.one.shop.put(7)
        self.start()
        self.assertEqual(("fresh", None), self.other.health("shop"))
        self.one.shop.failed(Failure(SourceError("no database")))
        changes = self.other.changes
        self.turn()
        self.turn()
        self.assertEqual(("failed", "no database"), self.other.health("shop"))
        self.assertEqual(changes + 1, self.other.changes)
        self.one.shop.put(7)
        self.turn()
        self.turn()
        self.assertEqual(("fresh", None), self.other.health("shop"))

    def test_also_that_it_never_said_anything(self) -> None:
        self.start()
        self.one.shop.failed(Failure(SourceError("no database")))
        self.turn()
        self.turn()
        self.assertEqual(("failed", "no database"), self.other.health("shop"))

    def test_also_that_a_member_cannot_be_a_value(self) -> None:
        self.start()
        self.one.shop.put({"orders": 7, "picture": b"png"})
        self.turn()
        self.turn()
        self.assertEqual(self.one.health("shop"), self.other.health("shop"))
        self.assertEqual("failed", self.other.health("shop")[0])
        self.assertEqual(("fresh", None), self.other.health("shop.orders"))
        self.one.shop.put({"orders": 7, "picture": "png"})
        self.turn()
        self.turn()
        self.assertIsNone(self.other.state.get("shop"))

    def test_a_thousand_sources_are_one_step_of_the_journal(self) -> None:
        """Or what the last of them says would be stale before the first is said again."""
        shifts: Any = [
            SimpleNamespace(name=f"shop{n}", feed=self.one.feed(f"shop{n}"), runs=True)
            for n in range(1000)
        ]
        journal: Any = Distant(self.one.journal, self.one.clock)
        state, clock = self.one.state, self.one.clock
        now, screens = self.one.times.now, Screens()
        former = FormerSources(journal, state, now, lambda: None)
        peers = Peers(journal, state, shifts, former, screens, now, clock, lambda: None)
        peers.start()
        for _ in range(20):
            clock.advance(Distant.WAY)
        records = self.successResultOf(self.one.journal.records(HEALTH))
        self.assertEqual(1000, len(records))
        self.assertLess(journal.trips, 10)
        peers.stop()

    def test_of_a_source_the_newest_value_and_not_what_came_before(self) -> None:
        self.start()
        self.one.shop.put({"a": 1, "b": 1})
        self.one.shop.put({"a": 1, "b": {1}})
        self.turn()
        self.turn()
        self.assertEqual(("fresh", None), self.other.health("shop.a"))
        self.assertEqual(self.one.health("shop.b"), self.other.health("shop.b"))
        self.one.shop.failed(Failure(SourceError("no database")))
        self.one.shop.put({"a": 2})
        self.turn()
        self.turn()
        self.assertEqual(("fresh", None), self.other.health("shop.a"))
        self.assertEqual(("failed", "no database"), self.other.health("shop.b"))
        self.one.shop.put({"a": 2, "b": 2})
        self.turn()
        self.turn()
        self.assertEqual(("fresh", None), self.other.health("shop.b"))

    def test_a_node_that_lost_the_source_reports_nothing(self) -> None:
        self.one.shop.put(7)
        self.start()
        self.one.shift.runs = False
        self.one.shop.failed(Failure(SourceError("I was frozen")))
        self.turn()
        self.turn()
        self.assertEqual(("fresh", None), self.other.health("shop"))
        self.turn(VOUCHED)
        self.assertEqual({}, self.successResultOf(self.one.journal.records(HEALTH)))

    def test_an_update_that_a_node_followed_is_not_late(self) -> None:
        self.one.journal.append([Draft("before", b"1")])
        self.one.restart()
        self.one.peers.restart()  # it begins here
        self.start()
        self.one.journal.append([Draft("since", b"1")])
        late = self.other
        late.restart()
        late.peers.restart()
        self.assertEqual(("late", None), late.health("since"))
        self.turn()
        self.assertEqual(("fresh", None), late.health("since"))
        self.assertEqual(("late", None), late.health("before"))

    def test_a_stream_of_a_former_source_that_clients_publish_now_is_theirs_on_every_node(
        self,
    ) -> None:
        self.one.feed("gone").put({"a": 1, "b": 1})
        self.one.peers.restart()
        self.start()
        self.turn()
        self.assertEqual(("late", UNREPORTED), self.other.health("gone.a"))
        self.one.journal.append([Draft("gone.a", b"3")])
        late = Node(self.other)  # starts before a turn of another node
        late.committed_updates = list(self.one.committed_updates)
        late.restart()
        late.peers.restart()
        late.peers.start()
        for _ in range(2):
            for node in (self.one, self.other, late):
                self.assertEqual(("fresh", None), node.health("gone.a"))
                self.assertEqual(("late", UNREPORTED), node.health("gone.b"))
            self.turn()

    def test_a_journal_that_is_away_for_a_while(self) -> None:
        self.start()
        away = self.patch(self.other.journal, "records", lambda kind: fail(Away("away")))
        self.turn()
        away.restore()
        self.one.shop.failed(Failure(SourceError("no database")))
        self.turn()
        self.turn()
        self.assertEqual(("failed", "no database"), self.other.health("shop"))

    def test_screens_of_other_nodes_are_listed_until_their_node_is_gone(self) -> None:
        self.start()
        self.one.screens.report(Terminal(), ScreenReport("tv", "hall", "5-0", 0), TODAY)
        self.turn()
        self.turn()
        self.assertEqual(["tv"], list(self.other.screens.listing(TODAY)))
        self.turn(LASTS)  # and is said again meanwhile
        self.turn()
        self.assertEqual(["tv"], list(self.other.screens.listing(TODAY)))
        self.one.peers.stop()
        self.turn(LASTS)
        self.turn()
        self.assertEqual([], list(self.other.screens.listing(TODAY)))

    def test_a_screen_that_moved_between_two_others_is_where_it_is_connected(self) -> None:
        third = Node(self.other)
        left, here = Terminal(), Terminal()
        for first, second in ((self.one, self.other), (self.other, self.one)):
            name = "tv" if first is self.one else "radio"
            first.screens.report(left, ScreenReport(name, "hall", "5-0", 0), TODAY)
            first.screens.lost(left, TODAY + 1)
            second.screens.report(here, ScreenReport(name, "hall", "5-0", 0), TODAY + 2)
        self.start()
        third.peers.start()
        self.turn()
        listed = third.screens.listing(TODAY + 3)
        self.assertEqual(
            {"tv": True, "radio": True}, {n: s["connected"] for n, s in listed.items()}
        )
        self.command(third, "tv", b"reload")

    def test_a_command_is_obeyed_once_where_the_screen_is(self) -> None:
        tv, full = Terminal(), Full()
        self.one.screens.report(full, ScreenReport("full", "hall", "5-0", 0), TODAY)
        self.one.screens.report(tv, ScreenReport("tv", "hall", "5-0", 0), TODAY)
        self.start()
        self.turn()
        self.command(self.other, "full", b"reload")
        self.command(self.other, "tv", b"reload")
        for _ in range(3):
            self.turn()
        self.assertEqual([b"reload"], tv.told)

    def test_records_of_other_programs_count_as_none(self) -> None:
        tv = Terminal()
        self.one.screens.report(tv, ScreenReport("tv", "hall", "5-0", 0), TODAY)
        self.start()
        self.turn()
        life = str(self.one.journal.life)
        wrong = (b"", b"\xff", b"null", b"[1]", b'{"shop": 1}', b'{"a": {"wall": 1}}', b"[" * 9999)
        for rubbish in wrong:
            for kind, name in ((HEALTH, "shop"), (SINCE, life), (SCREENS, "x"), (COMMANDS, "x")):
                self.one.journal.put(kind, f"{name}", rubbish, LASTS)
            self.one.shop.put({"orders": len(rubbish)})
            self.turn(LASTS / 2)
            self.turn()
            self.assertEqual(("fresh", None), self.other.health("shop.orders"))
            self.assertEqual(["tv"], list(self.other.screens.listing(TODAY)))
            self.command(self.other, "tv", b"reload")
            self.turn()
        self.assertEqual([b"reload"] * len(wrong), tv.told)

    def test_a_source_whose_list_of_streams_is_damaged_begins_a_new_one(self) -> None:
        for rubbish in (b"", b"\xff", b"{}", b'["", 1]', b'[""]'):
            self.one.journal.put(STREAMS, "shop", rubbish, None)
            self.assertEqual("", self.other.shop.own(rubbish))
            self.successResultOf(self.one.shop.adopt())
            self.assertFalse(self.one.shop.retire(rubbish))

    def test_a_screen_that_two_nodes_know_is_reported_once_by_each(self) -> None:
        here, there = Terminal(), Terminal()
        self.other.screens.report(here, ScreenReport("tv", "hall", "5-0", 0), TODAY)
        self.one.screens.report(there, ScreenReport("tv", "hall", "5-0", 0), TODAY)
        self.start()
        self.turn()
        tv = self.other.screens.listing(TODAY)["tv"]
        self.assertEqual((2, 1), (tv["connections"], len(tv["others"])))
        self.assertEqual(Told(1, 0, 1), self.command(self.other, "tv", b"reload"))
        for _ in range(3):
            self.turn()
        self.assertEqual(([b"reload"], [b"reload"]), (here.told, there.told))

    def test_a_command_whose_record_is_read_again_is_not_obeyed_again(self) -> None:
        """As of a Redis that answers from a copy which lags, or a node that was frozen."""
        tv = Terminal()
        self.one.screens.report(tv, ScreenReport("tv", "hall", "5-0", 0), TODAY)
        self.start()
        self.turn()
        self.command(self.other, "tv", b"reload")
        self.turn()
        self.assertEqual([b"reload"], tv.told)
        lagging = self.successResultOf(self.one.journal.records(COMMANDS))
        for records in ({}, {}, lagging, {}, lagging):
            read = self.reads(lambda kind, records=records: succeed(records))  # type: ignore[misc]
            self.turn()
            read.restore()
        self.assertEqual([b"reload"], tv.told)

    def test_a_node_that_passes_a_command_on_while_it_reads_does_not_obey_it_again(self) -> None:
        here, there = Terminal(), Terminal()
        self.other.screens.report(here, ScreenReport("tv", "hall", "5-0", 0), TODAY)
        self.one.screens.report(there, ScreenReport("tv", "hall", "5-0", 0), TODAY)
        self.start()
        self.turn()
        answers: list[Deferred[Any]] = []

        def ask(kind: str) -> Any:
            answers.append(Deferred())
            return answers[-1]

        read = self.reads(ask)
        self.turn()  # it asks for commands before this one is in the journal
        self.command(self.other, "tv", b"reload")
        for answer in answers:
            answer.callback({})
        read.restore()
        for _ in range(3):
            self.turn()
        self.assertEqual(([b"reload"], [b"reload"]), (here.told, there.told))

    def test_commands_that_were_obeyed_are_not_remembered_for_ever(self) -> None:
        self.start()
        for _ in range(5):
            self.turn()
            self.one.peers._command("tv", b"reload")
        for _ in range(int(REMEMBERED) + 15):
            self.turn()
        self.assertEqual([0, 0], [len(node.peers._done) for node in (self.one, self.other)])

    def reads(self, ask: Callable[[str], Any]) -> Any:
        """Have every node read its commands so."""
        records = self.one.journal.records
        return self.patch(
            self.one.journal,
            "records",
            lambda kind: ask(kind) if kind == COMMANDS else records(kind),
        )


WHY = "database file missing or not readable"


class Version01Tests(SynchronousTestCase):
    """A node of this version, and the records that one of version 0.1.0 writes and reads."""

    def setUp(self) -> None:
        self.node = Node()
        self.addCleanup(self.node.peers.stop)

    def write(self, streams: Any) -> None:
        """Write the record of a node of version 0.1.0 that runs the source, and exchange records."""
        self.node.journal.put(HEALTH, "shop", json.dumps(streams).encode(), VOUCHED)
        self.turn()

    def turn(self) -> None:
        self.node.peers.start()
        self.node.peers.stop()

    def written(self) -> Any:
        """Exchange records, and return the one that a node of version 0.1.0 reads."""
        self.node.shift.runs = True
        self.turn()
        return json.loads(self.successResultOf(self.node.journal.records(HEALTH))["shop"])

    # -- the other node runs the source ------------------------------------------------------------

    def test_its_source_fails_and_works_again(self) -> None:
        self.node.journal.append([Draft("shop.n", b"7")])
        self.write({"shop.n": [TODAY, WHY, False]})
        self.assertEqual(("failed", WHY), self.node.health("shop.n"))
        self.write({"shop.n": [TODAY, None, False]})
        self.assertEqual(("fresh", None), self.node.health("shop.n"))

    def test_its_source_has_no_stream_yet(self) -> None:
        self.write({"shop": [None, WHY, False]})
        self.assertEqual(("failed", WHY), self.node.health("shop"))
        self.node.journal.append([Draft("shop.n", b"7")])
        self.write({"shop.n": [TODAY, None, False]})
        self.assertIsNone(self.node.state.get("shop"))
        self.assertEqual(("fresh", None), self.node.health("shop.n"))

    def test_a_member_of_its_source_cannot_be_a_value(self) -> None:
        self.node.journal.append([Draft("shop.n", b"7")])
        self.write({"shop.n": [TODAY, None, False], "shop": [None, "shop.b: no value", False]})
        self.assertEqual(("fresh", None), self.node.health("shop.n"))
        self.assertEqual(("failed", "shop.b: no value"), self.node.health("shop"))

    # -- this node runs the source -----------------------------------------------------------------

    def test_a_source_of_this_node_works_and_fails(self) -> None:
        self.node.shop.put({"n": 7})
        self.assertEqual({"shop.n": [TODAY, None, False]}, self.written())
        self.node.shop.failed(Failure(SourceError(WHY)))
        self.assertEqual({"shop.n": [TODAY, WHY, False]}, self.written())

    def test_a_source_of_this_node_has_no_stream_yet(self) -> None:
        self.node.shop.failed(Failure(SourceError(WHY)))
        self.assertEqual({"shop": [None, WHY, False]}, self.written())

    def test_a_member_of_a_source_of_this_node_cannot_be_a_value(self) -> None:
        self.node.shop.put({"n": 7, "b": b"png"})
        why = self.node.health("shop")[1]
        self.assertEqual(
            {"shop.n": [TODAY, None, False], "shop": [None, why, False]}, self.written()
        )


class GapTests(SynchronousTestCase):
    """Nodes find out together whether no node followed the log for a while."""

    def setUp(self) -> None:
        self.one = Node()
        self.journal = Together(self.one.journal)
        self.other = Node(self.one)
        for node in (self.one, self.other):
            node.state.shared = True
            node.peers._journal = self.journal
        self.begin(self.one)

    def begin(self, node: Node) -> None:
        """It reads the log, and what is stored."""
        now, elapsed = node.times.now(), node.times.elapsed()
        blocks: Any = {name: {**parts} for name, parts in self.journal.blocks.items()}
        node.state.restore(LIFE, self.one.committed_updates, ORIGIN, blocks, now, elapsed)
        node.peers.restart()

    def turn(self, seconds: float = TURN) -> None:
        self.one.clock.advance(seconds)

    def gaps(self) -> int:
        return len((self.journal.blocks.get(FOLLOWED, {}).get(GAPS) or b"").split())

    def test_the_first_node_records_that_none_followed(self) -> None:
        self.one.peers.start()
        self.assertEqual((1, False), (self.gaps(), self.one.state.gaps.undecided))
        self.begin(self.other)
        self.assertTrue(self.other.state.gaps.undecided)
        self.other.peers.start()
        self.assertEqual((1, False), (self.gaps(), self.other.state.gaps.undecided))
        self.assertEqual(0, self.journal.read)

    def test_only_one_node_decides(self) -> None:
        self.journal.leased = False
        self.one.peers.start()
        self.assertEqual((0, True), (self.gaps(), self.one.state.gaps.undecided))
        self.journal.leased = True
        self.turn()
        self.assertEqual((1, False), (self.gaps(), self.one.state.gaps.undecided))

    def test_a_node_that_read_the_log_before_the_decision_reads_it_again(self) -> None:
        self.begin(self.other)
        self.one.journal.append([Draft("a", b"1")])
        self.begin(self.one)
        self.one.peers.start()
        self.other.peers.start()
        self.assertEqual((1, True), (self.journal.read, self.other.state.gaps.undecided))
        self.begin(self.other)
        self.turn()
        self.assertEqual((1, False), (self.journal.read, self.other.state.gaps.undecided))

    def test_so_does_one_that_did_not_run_while_others_noted_a_gap(self) -> None:
        self.one.peers.start()
        self.turn(LASTS / 2 + TURN)
        self.one.journal.append([Draft("a", b"1")])
        since = bytes(self.one.state.head)
        self.journal.put(SINCE, str(LIFE), since, LASTS)
        self.turn()
        self.assertEqual(1, self.journal.read)
        [record] = self.successResultOf(self.journal.records(SINCE)).values()
        self.assertEqual(since, record)
        self.begin(self.one)
        self.turn()
        self.assertEqual((1, False), (self.journal.read, self.one.state.gaps.undecided))
