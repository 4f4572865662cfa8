"""Where the log has led, what viewers are told of it, and that nothing is unbounded."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec import to_builtins
from msgspec.structs import replace
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamd.core import catchup
from streamd.core.cursor import Answer, Cursor
from streamd.core.description import Description, Keep
from streamd.core.duration import Duration
from streamd.core.errors import Refused
from streamd.core.health.verdict import knowledge
from streamd.core.limit import Limit
from streamd.core.retention import UPDATE_BYTES, cost
from streamd.core.selection import Selection
from streamd.core.state import State
from streamd.core.update import ORIGIN, Draft, Position, Update
from streamd.core.values import to_python
from streamd.sources.errors import SourceError
from tests.support.fakes import Daemonette, about, value

NAMES = ("a", "b", "c", "d.x", "d.y")
SELECTIONS = [Selection(s) for s in (None, [], ["a"], ["b", "zz"], ["d.*"], ["a", "d.?"])]

DESCRIPTIONS = [
    Description(),
    Description(keep=Keep(1)),
    Description(keep=Keep(3), expect=Duration(10)),
    Description(keep=Keep(None, 20.0), warn=Limit("> 5"), critical=Limit("> 8")),
]

forget = object()


class Viewer:
    """What somebody has who was told all that follows from a mark."""

    def __init__(self, state: State, selection: Selection, newest: bool, history: int) -> None:
        self.state = state
        self.selection = selection
        self.newest = newest
        self.history = history
        self.begin()

    def begin(self) -> None:
        """With nothing."""
        self.held: dict[str, Any] = {}
        self.seen: list[Update] = []
        self.first_seqs = self.seqs_now()
        self.cursor = catchup.start(self.state, self.history)
        if not self.newest:
            self.welcome()

    def resume(self) -> None:
        """With the cursor that it has, and what it holds."""
        self.cursor = Cursor(self.cursor.at, 0)
        if not self.newest:
            self.welcome()

    def welcome(self) -> None:
        """Descriptions and health, as a hello tells them."""
        told = about(self.state, self.selection)
        self.about = {name: [d, _said(told["health"][name])] for name, d in told["streams"].items()}
        self.cursor = replace(self.cursor, revision=self.state.revision)

    def take(self, most: int) -> Answer:
        """One message of at most this many updates."""
        answer = catchup.since(self.state, self.cursor, self.selection, self.newest)
        if not self.newest:
            for name in answer.gone:
                self.held.pop(name, None)
                self.about.pop(name, None)
            for name, description in answer.streams.items():
                self.about.setdefault(name, [None, None])[0] = description
            for name, health in answer.health.items():
                self.about.setdefault(name, [None, None])[1] = _said(health)
        taken = answer.updates[:most]
        for update in taken:
            if update.value is None:
                self.held.pop(update.stream, None)
            else:
                self.held[update.stream] = to_python(update.value)
        self.seen += taken
        more = len(taken) < len(answer.updates)
        at = taken[-1].at if more else answer.at
        self.cursor = Cursor(at, answer.revision, self.cursor.backlog if more else None)
        return answer

    def seqs_now(self) -> dict[str, int]:
        return {u.stream: u.seq for u in self.state.serialize()}

    @property
    def up_to_date(self) -> bool:
        here = (self.cursor.at, self.cursor.revision, self.cursor.backlog)
        return here == (self.state.head, self.state.revision, None)


def _said(health: Any) -> tuple[str, str, str | None]:
    told = health if isinstance(health, dict) else to_builtins(health)
    return told["state"], told["level"], told["error"]


class StateMachine(RuleBasedStateMachine):
    """Anything may happen to a state; what viewers are told and what it keeps stays right."""

    MAX_STATE = 12 * UPDATE_BYTES

    def __init__(self) -> None:
        super().__init__()
        self.daemon = Daemonette(
            {"a": DESCRIPTIONS[2], "b": DESCRIPTIONS[0]}, max_state=self.MAX_STATE
        )
        self.state = self.daemon.state
        self.log: list[Update] = []
        self.forgotten: set[str] = set()
        self.viewers: list[Viewer] = []
        self.feeds = [self.daemon.feed(name) for name in ("a", "d", "d.x")]

    def now(self) -> float:
        return self.daemon.times.now()

    # -- what happens ------------------------------------------------------------------------------

    @rule(items=st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 9)), max_size=3))
    def publish(self, items: list[tuple[str, int]]) -> None:
        self.append([Draft(name, value(number)) for name, number in items])

    @rule(name=st.sampled_from(NAMES), size=st.integers(0, 800))
    def publish_much(self, name: str, size: int) -> None:
        self.append([Draft(name, value("x" * size))])

    @rule(name=st.sampled_from(NAMES))
    def forget(self, name: str) -> None:
        if self.state.get(name):
            self.append([Draft(name, None)])

    def append(self, drafts: list[Draft]) -> None:
        try:
            self.state.room.check(drafts)
        except Refused:  # the state is full
            return
        self.daemon.journal.append(drafts)
        self.follow()

    def follow(self) -> None:
        """Note what was committed."""
        before = self.log[-1].at if self.log else ORIGIN
        updates = self.daemon.committed_updates[len(self.log) :]
        self.forgotten |= {u.stream for u in updates if u.value is None}
        positions = [before, *(update.at for update in updates)]
        assert positions == sorted(set(positions))
        assert self.state.head == positions[-1]
        self.log += updates

    @rule(name=st.sampled_from(NAMES), description=st.sampled_from(DESCRIPTIONS))
    def describe(self, name: str, description: Description) -> None:
        self.state.describe(name, description, self.now())

    @rule(feed=st.integers(0, 2), error=st.sampled_from(["broken", "away"]))
    def fail(self, feed: int, error: str) -> None:
        self.feeds[feed].failed(Failure(SourceError(error)))

    @rule(feed=st.integers(0, 2), number=st.integers(0, 3))
    def read_a_number(self, feed: int, number: int) -> None:
        self.feeds[feed].put(number)
        self.follow()

    @rule(
        feed=st.integers(0, 2),
        parts=st.dictionaries(
            st.sampled_from(["x", "y", "not a name"]), st.sampled_from([1, 2, b"wrong"])
        ),
    )
    def read_members(self, feed: int, parts: dict[str, Any]) -> None:
        self.feeds[feed].put(parts)
        self.follow()

    @rule(feed=st.integers(0, 2))
    def prove(self, feed: int) -> None:
        self.feeds[feed].proved()

    @rule(
        seconds=st.sampled_from([0.0, 0.001, 3, 11, 30]), back=st.sampled_from([0, 0, 0, 5, 3600])
    )
    def time_passes(self, seconds: float, back: float) -> None:
        self.daemon.clock.advance(seconds)
        self.daemon.times.set_back(back)
        self.daemon.judge()
        for stream in self.state:
            proof = stream.began if stream.proof is None else stream.proof
            state = knowledge(stream.error, proof, stream.description.expect, self.now())
            assert (stream.health.state, stream.health.error) == (state, stream.error), stream.name
            assert len(stream.history) <= (stream.description.keep.updates or 10**9)

    # -- who looks ---------------------------------------------------------------------------------

    @precondition(lambda self: len(self.viewers) < 4)
    @rule(
        selection=st.sampled_from(SELECTIONS),
        newest=st.booleans(),
        history=st.sampled_from([1, 2, 1000]),
    )
    def join(self, selection: Selection, newest: bool, history: int) -> None:
        self.viewers.append(Viewer(self.state, selection, newest, history))

    @precondition(lambda self: self.viewers)
    @rule(which=st.integers(0, 3), most=st.sampled_from([1, 2, 1000]))
    def read(self, which: int, most: int) -> None:
        viewer = self.viewers[which % len(self.viewers)]
        self.begin_anew_if_lost(viewer)
        answer = viewer.take(most)
        assert [u.at for u in answer.updates] == sorted({u.at for u in answer.updates})
        if viewer.newest:
            assert len({u.stream for u in answer.updates}) == len(answer.updates)

    def begin_anew_if_lost(self, viewer: Viewer) -> None:
        """Where even a tombstone is gone that it was not told of."""
        cursor = viewer.cursor
        behind = cursor.backlog is None and cursor.at < self.state.kept.horizon
        if catchup.is_beyond(self.state, cursor) or (behind and viewer.seen):
            viewer.begin()  # never because of its place in a backlog, which may be older for long

    @precondition(lambda self: self.viewers)
    @rule(which=st.integers(0, 3))
    def reconnect(self, which: int) -> None:
        viewer = self.viewers[which % len(self.viewers)]
        if viewer.cursor.backlog is None and catchup.resumes(
            self.state, viewer.cursor.at, viewer.selection
        ):
            viewer.resume()
        else:
            viewer.begin()

    @precondition(lambda self: self.log)
    @rule(selection=st.sampled_from(SELECTIONS), back=st.integers(0, 30))
    def cursors(self, selection: Selection, back: int) -> None:
        """A cursor is honoured if nothing selected after it is missing, and only then.

        Where even tombstones are gone nobody can say what is missing.
        """
        cursor = ([ORIGIN] + [update.at for update in self.log])[-back - 1 :][0]
        missed = [u for u in self.log if u.at > cursor and u.stream in selection]
        found = catchup.since(self.state, Cursor(cursor, 0), selection).updates
        whole = list(found) == missed
        whole = whole and cursor >= self.state.kept.horizon
        assert catchup.resumes(self.state, cursor, selection) == whole, (cursor, found, missed)

    # -- what is always true -----------------------------------------------------------------------

    @invariant()
    def all_is_well(self) -> None:
        self.the_newest_is_the_newest()
        self.bytes_are_counted_and_bounded()
        self.every_index_knows_its_streams()
        self.history_is_the_end_of_the_log()
        self.who_is_up_to_date_has_the_state()
        self.nobody_is_told_twice_or_out_of_order()
        self.nothing_is_left_out_that_history_had()

    def the_newest_is_the_newest(self) -> None:
        wanted: dict[str, Update] = {}
        for update in self.log:
            wanted.pop(update.stream, None)
            if update.value is not None:
                wanted[update.stream] = update
        assert self.state.serialize() == [wanted[name] for name in sorted(wanted)]
        for name in NAMES:
            expected = wanted.get(name)
            assert self.state.value(name) == (expected.value if expected else None)

    def bytes_are_counted_and_bounded(self) -> None:
        streams = list(self.state.streams.values())
        assert self.state.size == sum(cost(u) for s in streams for u in s.history)
        newest = [s.history[-1] for s in streams if s.history and not s.gone]
        assert self.state.kept.pinned == sum(map(cost, newest))
        assert self.state.size <= self.MAX_STATE

    def every_index_knows_its_streams(self) -> None:
        state, streams = self.state, self.state.streams
        assert set(state.kept.recent) == {name for name, s in streams.items() if s.history}
        assert set(state.kept.tombs) == {name for name, s in streams.items() if s.gone}
        assert len(state) == len(list(state)) - sum(not e.gone for e in state.entries.values())
        at = [s.history[-1].at for s in state.kept.recent.values()]
        assert at == sorted(at)
        log = list(state.kept.log.after(ORIGIN))
        assert log == sorted((u for s in streams.values() for u in s.history), key=lambda u: u.at)
        assert len(state.kept.log) == len(log)
        noted = [s.noted for s in state.noted.values()]
        assert noted == sorted(noted)

    def history_is_the_end_of_the_log(self) -> None:
        for stream in self.state:
            history = list(stream.history)
            if history and history[-1].value is None:  # forgotten, and goes on without a value
                history.pop()
            log = [u for u in self.log if u.stream == stream.name]
            assert history == log[len(log) - len(history) :]

    def who_is_up_to_date_has_the_state(self) -> None:
        for viewer in self.viewers:
            if viewer.up_to_date:
                self.compare(viewer)

    def compare(self, viewer: Viewer) -> None:
        state = self.state
        values = {u.stream: to_python(u.value or b"") for u in state.serialize(viewer.selection)}
        assert viewer.held == values
        if not viewer.newest:
            told = about(state, viewer.selection)
            right = {n: [d, _said(told["health"][n])] for n, d in told["streams"].items()}
            assert viewer.about == right

    def nobody_is_told_twice_or_out_of_order(self) -> None:
        for viewer in self.viewers:
            assert all(u.stream in viewer.selection for u in viewer.seen)
            at = [update.at for update in viewer.seen]
            assert at == sorted(set(at))

    def nothing_is_left_out_that_history_had(self) -> None:
        for viewer in self.viewers:
            if viewer.newest or not viewer.up_to_date:
                continue
            for stream in self.state:
                if stream.lost == ORIGIN and stream.name in viewer.selection and stream.history:
                    seqs = [u.seq for u in viewer.seen if u.stream == stream.name]
                    old = viewer.first_seqs.get(stream.name, 0)
                    first = max(1, old - viewer.history + 1)
                    assert seqs == list(range(first, stream.history[-1].seq + 1))

    def teardown(self) -> None:
        for viewer in self.viewers:
            while not viewer.up_to_date:
                self.begin_anew_if_lost(viewer)
                viewer.take(2)
            self.compare(viewer)


StateMachine.TestCase.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, report_multiple_bugs=False
)
AnythingTests = StateMachine.TestCase


class RoomyMachine(StateMachine):
    """The same with room for all: nothing is ever lost but by forgetting."""

    MAX_STATE = 2**20


RoomyMachine.TestCase.settings = StateMachine.TestCase.settings
RoomyTests = RoomyMachine.TestCase


class StateTestCase(SynchronousTestCase):
    """A state whose log is written by hand."""

    def setUp(self) -> None:
        self.make()

    def make(self, descriptions: dict[str, Description] | None = None, **bounds: int) -> None:
        self.daemon = Daemonette(descriptions, **bounds)
        self.state = self.daemon.state

    def now(self) -> float:
        return self.daemon.times.now()

    def publish(self, name: str, new: Any = 0, times: int = 1) -> Position:
        """Publish a value (or `forget`) and return its position."""
        draft = Draft(name, None if new is forget else value(new))
        self.state.room.check([draft] * times)
        self.daemon.journal.append([draft] * times)
        return self.state.head

    def pass_by(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.daemon.clock.advance(1.0)
            self.daemon.judge()

    def read(self, name: str, new: Any) -> None:
        """Have the source of this name read a value."""
        self.daemon.feed(name).put(new)

    def fail_source(self, name: str, message: str) -> None:
        self.daemon.feed(name).failed(Failure(SourceError(message)))

    def forgettable(self, age: float) -> list[str]:
        return self.state.forgettable(age, self.now(), self.daemon.times.elapsed())

    def told(self, mark: Cursor, newest: bool = False) -> list[tuple[str, Any]]:
        """Stream and value of every update after a mark."""
        updates = catchup.since(self.state, mark, Selection(), newest).updates
        return [(u.stream, u.value and to_python(u.value)) for u in updates]

    def health(self, name: str) -> str:
        return self.daemon.health(name)[0]


class ForgettingTests(StateTestCase):
    def test_it_is_gone_and_viewers_learn_it(self) -> None:
        self.publish("b")
        mark = Cursor(self.publish("a", 1), self.state.revision)
        self.publish("a", forget)
        self.assertEqual(None, self.state.get("a"))
        self.assertEqual(None, self.state.value("a"))
        self.assertEqual(["b"], [stream.name for stream in self.state])
        self.assertEqual([("a", None)], self.told(mark, newest=True))
        answer = catchup.since(self.state, mark, Selection())
        self.assertEqual((["a"], []), (list(answer.gone), self.told(mark)))
        self.assertEqual([("b", 0)], self.told(catchup.start(self.state)))
        self.assertEqual([("b", 0)], self.told(catchup.start(self.state), newest=True))

    def test_it_comes_back_as_new(self) -> None:
        self.make(max_streams=5)
        self.state.describe("a", DESCRIPTIONS[3], self.now())
        mark = Cursor(self.publish("a", 7), self.state.revision)
        self.publish("a", forget)
        self.publish("a", 1)
        stream = self.state.get("a")
        assert stream is not None
        newest = stream.newest
        assert newest is not None
        self.assertEqual((1, "ok"), (newest.seq, stream.health.level))
        self.assertEqual([("a", 1)], self.told(mark))
        self.assertEqual(["a"], list(catchup.since(self.state, mark, Selection()).gone))

    def test_a_configured_stream_stays_without_value(self) -> None:
        self.make({"a": Description(title="A", warn=Limit("> 5"))})
        self.publish("a", 7)
        self.publish("a", forget)
        stream = self.state.get("a")
        assert stream is not None
        self.assertEqual(("A", None), (stream.description.title, stream.newest))
        self.assertEqual(("fresh", "ok"), (stream.health.state, stream.health.level))
        self.publish("a", 1)
        self.assertEqual([("a", 1)], self.told(catchup.start(self.state, 10)))
        self.assertEqual(1, len(stream.history))

    def test_after_a_day_without_proof(self) -> None:
        self.make({"configured": Description()})
        for name in ("configured", "old", "proved"):
            self.publish(name)
        self.pass_by(3000)
        self.publish("new")
        self.read("proved", 0)
        self.fail_source("silent", "away")
        self.pass_by(1000)
        self.assertEqual([], self.forgettable(4001))
        self.assertEqual(["old"], self.forgettable(3998))

    def test_no_stream_is_forgotten_while_its_source_fails(self) -> None:
        self.read("failing", 1)
        self.pass_by(100)
        self.fail_source("failing", "away")
        self.assertEqual([], self.forgettable(50))
        self.read("failing", 1)
        self.pass_by(100)
        self.assertEqual(["failing"], self.forgettable(50))

    def test_a_source_that_works_after_it_failed_without_a_stream(self) -> None:
        self.fail_source("shop", "away")
        self.assertEqual("failed", self.health("shop"))
        cursor = Cursor(ORIGIN, self.state.revision)
        self.daemon.feed("shop").put({})
        self.assertEqual(None, self.state.get("shop"))
        self.assertEqual(["shop"], list(catchup.since(self.state, cursor, Selection()).gone))

    def test_a_source_that_fails_after_its_stream_was_forgotten(self) -> None:
        self.publish("shop")
        cursor = Cursor(self.state.head, self.state.revision)
        self.publish("shop", forget)
        self.fail_source("shop", "away")
        answer = catchup.since(self.state, cursor, Selection())
        self.assertEqual((["shop"], ["shop"]), (list(answer.gone), list(answer.health)))
        self.daemon.feed("shop").put({})
        self.assertEqual(None, self.state.get("shop"))
        self.assertEqual([], self.told(catchup.start(self.state)))
        self.publish("shop", 1)
        self.assertEqual([("shop", 1)], self.told(catchup.start(self.state)))

    def test_an_entry_of_a_source_outlasts_the_tombstone_of_its_name(self) -> None:
        self.make(max_streams=1)
        self.publish("shop")
        self.publish("shop", forget)
        self.fail_source("shop", "away")
        cursor = Cursor(self.state.head, self.state.revision)
        self.publish("other")
        self.publish("other", forget)
        self.assertEqual(["other"], list(self.state.kept.tombs))
        self.daemon.feed("shop").put({})
        self.assertEqual({"shop", "other"}, {*catchup.since(self.state, cursor, Selection()).gone})


class BoundTests(StateTestCase):
    def refused(self, name: str, new: Any) -> str:
        """The code with which it is refused."""
        refused: Refused = self.assertRaises(Refused, self.publish, name, new)
        self.assertEqual(429, refused.status)
        return refused.code

    def test_streams(self) -> None:
        self.make({"configured": Description()}, max_streams=3)
        self.publish("a")
        self.publish("b")
        self.assertEqual("too-many-streams", self.refused("c", 1))
        self.publish("a", 2)
        self.publish("configured", 1)
        self.state.room.check([Draft("unknown", None)])
        self.publish("b", forget)
        self.publish("c", 1)

    def test_names_that_come_and_go_leave_nothing(self) -> None:
        self.make(max_streams=3)
        for number in range(50):
            self.publish(f"n{number}")
            self.publish(f"n{number}", forget)
        self.assertEqual(3, len(self.state.streams))
        self.assertEqual(3 * UPDATE_BYTES, self.state.size)

    def test_the_oldest_history_goes_first(self) -> None:
        self.make(max_state=10 * (UPDATE_BYTES + 1))
        self.publish("old", 0, times=5)
        self.publish("new", 1, times=5)
        self.publish("new", 2)
        self.assertEqual(
            [("old", 0)] * 3 + [("new", 1)] * 5 + [("new", 2)],
            self.told(catchup.start(self.state, 99)),
        )

    def test_the_newest_values_stay(self) -> None:
        self.make(max_state=3 * (UPDATE_BYTES + 1))
        for name in ("a", "b", "c"):
            self.publish(name, 1)
        self.assertEqual("state-full", self.refused("d", 1))
        self.assertEqual("state-full", self.refused("a", 12))
        self.publish("a", 2)
        self.assertEqual([("b", 1), ("c", 1), ("a", 2)], self.told(catchup.start(self.state, 99)))

    def test_a_full_state_can_make_room(self) -> None:
        self.make(max_state=2 * (UPDATE_BYTES + 3))
        self.publish("a", 100)
        self.publish("b", 100)
        self.publish("a", 1)
        self.publish("b", forget)
        self.publish("a", 10000)

    def test_also_when_another_node_had_more_room(self) -> None:
        self.make(max_state=2 * UPDATE_BYTES)
        drafts = [Draft(name, value("x" * 9)) for name in ("a", "b", "c")]
        self.daemon.append_elsewhere(drafts)
        self.assertEqual("state-full", self.refused("a", "x" * 10))
        self.publish("a", "x" * 8)
        self.publish("b", forget)

    def test_tombstones_give_way(self) -> None:
        self.make(max_state=4 * (UPDATE_BYTES + 1))
        for number in range(20):
            self.publish(f"n{number}")
            self.publish(f"n{number}", forget)
            self.assertLessEqual(self.state.size, 4 * (UPDATE_BYTES + 1))
        for name in ("a", "b", "c"):
            self.publish(name, 1)
        self.assertEqual([("a", 1), ("b", 1), ("c", 1)], self.told(catchup.start(self.state)))

    def test_keep_so_many_updates(self) -> None:
        self.make({"a": Description(keep=Keep(3))})
        self.publish("a", times=10)
        self.assertEqual(3, len(self.told(catchup.start(self.state, 99))))

    def test_keep_for_so_long(self) -> None:
        self.make({"a": Description(keep=Keep(None, 10))})
        for number in range(5):
            self.publish("a", number)
            self.pass_by(4)
        self.assertEqual([("a", 3), ("a", 4)], self.told(catchup.start(self.state, 99)))
        self.pass_by(100)
        self.assertEqual([("a", 4)], self.told(catchup.start(self.state, 99)))


class WrongClockTests(StateTestCase):
    """The wall clock was a year ahead for one update; all that came later has a later position."""

    YEAR = 365 * 24 * 3600.0

    def wrong_once(self, name: str) -> None:
        self.daemon.times.set_back(-self.YEAR)
        self.publish(name)
        self.daemon.times.set_back(self.YEAR)

    def test_history_is_kept_for_its_time(self) -> None:
        self.make({"a": Description(keep=Keep(None, 10))})
        self.wrong_once("a")
        for number in range(5):
            self.publish("a", number)
            self.pass_by(4)
        self.assertEqual([("a", 3), ("a", 4)], self.told(catchup.start(self.state, 99)))

    def test_streams_are_forgotten(self) -> None:
        self.wrong_once("a")
        self.publish("b")
        self.pass_by(100)
        self.assertEqual((["a", "b"], []), (self.forgettable(90), self.forgettable(110)))

    def test_and_when_the_log_is_read_again(self) -> None:
        self.make({"a": Description(keep=Keep(None, 10))})
        self.wrong_once("a")
        self.publish("a", 1)
        self.publish("b")
        self.daemon.restart()
        self.pass_by(12)
        self.assertEqual([("a", 1), ("b", 0)], self.told(catchup.start(self.state, 99)))
        self.assertEqual(["b"], self.forgettable(10))

    def test_a_clock_that_jumps_ahead_lets_nothing_go(self) -> None:
        self.make({"a": Description(keep=Keep(None, 10))})
        self.publish("a", 1)
        self.publish("a", 2)
        self.daemon.times.set_back(-self.YEAR)
        self.pass_by(5)
        self.assertEqual([("a", 1), ("a", 2)], self.told(catchup.start(self.state, 99)))

    def test_ages_from_before_the_start_count(self) -> None:
        self.make({"a": Description(keep=Keep(None, 100))})
        self.publish("a", 1)
        self.pass_by(60)
        self.publish("a", 2)
        self.daemon.restart()
        self.pass_by(38)
        self.assertEqual(2, len(self.told(catchup.start(self.state, 99))))
        self.pass_by(4)
        self.assertEqual([("a", 2)], self.told(catchup.start(self.state, 99)))


class HealthTests(StateTestCase):
    def test_late_and_fresh_again(self) -> None:
        self.make({"a": Description(expect=Duration(10))})
        self.publish("a")
        self.pass_by(10)
        self.assertEqual("fresh", self.health("a"))
        self.pass_by(1)
        self.assertEqual("late", self.health("a"))
        self.read("a", 0)
        self.assertEqual("fresh", self.health("a"))

    def test_what_never_came_is_late_and_stays_late(self) -> None:
        self.make({"a": Description(expect=Duration(10))})
        states = []
        for _ in range(4):
            self.pass_by(6)
            states.append(self.health("a"))
        self.assertEqual(["fresh", "late", "late", "late"], states)

    def test_a_clock_that_is_set_back_does_not_hide_silence(self) -> None:
        self.make(
            {"a": Description(expect=Duration(10)), "never": Description(expect=Duration(10))}
        )
        self.publish("a")
        self.daemon.times.set_back(3600)
        self.pass_by(1)
        self.assertEqual(("fresh", "fresh"), (self.health("a"), self.health("never")))
        self.pass_by(11)
        self.assertEqual(("late", "late"), (self.health("a"), self.health("never")))

    def test_failed_until_its_source_has_said_more(self) -> None:
        source = self.state.sources.record("a", None)
        for new in (1, 3):  # what was published since, and another value
            self.read("a", 0)
            before = self.state.sources.prepare(source, {"a": value(0)}, self.now())
            self.fail_source("a", "away")
            self.publish("a", 1)
            self.assertFalse(self.state.sources.prove(source, before, self.now()))
            self.assertEqual(("failed", "away"), self.daemon.health("a"))
            self.read("a", new)
            self.assertEqual(("fresh", None), self.daemon.health("a"))

    def test_levels(self) -> None:
        self.make({"a": Description(warn=Limit("> 5"), critical=Limit("> 8"))})
        levels = []
        for number in (1, 6, 9, None):
            self.publish("a", number)
            levels.append(about(self.state)["health"]["a"]["level"])
        self.assertEqual(["ok", "warn", "critical", "ok"], levels)

    def test_only_a_change_is_reported(self) -> None:
        self.read("a", 1)
        revision = self.state.revision
        self.pass_by(1)
        self.publish("a", 2)
        self.read("a", 2)
        self.assertEqual(revision, self.state.revision)
        self.assertEqual(self.now(), about(self.state)["health"]["a"]["proof"])

    def test_since_says_when_it_changed(self) -> None:
        self.read("a", 1)
        self.pass_by(5)
        self.fail_source("a", "away")
        changed = self.now()
        self.pass_by(5)
        self.fail_source("a", "away")
        self.assertEqual(changed, about(self.state)["health"]["a"]["since"])

    def test_silences_are_remembered_from_the_last_proof_on_and_bounded(self) -> None:
        self.read("a", 1)
        stream = self.state.get("a")
        assert stream is not None
        proved = self.now()
        self.pass_by(5)
        self.fail_source("a", "away")
        self.fail_source("a", "still away")
        self.assertEqual([(proved, None)], [*stream.silences])
        self.pass_by(5)
        self.read("a", 1)
        self.assertEqual([(proved, self.now())], [*stream.silences])
        for _ in range(100):
            self.fail_source("a", "away")
            self.read("a", 1)
        self.assertEqual(64, len(stream.silences))

    def test_a_description_judges_anew(self) -> None:
        self.publish("a", 7)
        mark = Cursor(self.state.head, self.state.revision)
        description = Description(title="A", warn=Limit("> 5"))
        self.state.describe("a", description, self.now())
        answer = catchup.since(self.state, mark, Selection())
        self.assertEqual("A", answer.streams["a"]["title"])
        self.assertEqual("warn", answer.health["a"].level)

    def test_described_again_with_the_same_words(self) -> None:
        self.publish("a")
        revision = self.state.revision
        self.state.describe("a", Description(), self.now())
        self.assertEqual(revision, self.state.revision)
