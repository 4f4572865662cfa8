"""Where the log has led, what viewers are told of it, and that nothing is unbounded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.trial.unittest import SynchronousTestCase

from streamd.config import Description, Duration, Keep
from streamd.health import Health, Limit, knowledge
from streamd.state import UPDATE_BYTES, Answer, Mark, State, Stream, cost
from streamd.update import LIFE_UNIT, ORIGIN, Draft, Position, Refused, Selection, Update, to_python
from tests.support.fakes import LIFE, TODAY, Daemonette, value

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
        self.mark = self.state.start(self.history)
        if not self.newest:
            self.welcome()

    def resume(self) -> None:
        """With the cursor that it has, and what it holds."""
        self.mark = Mark(self.mark.at, 0)
        if not self.newest:
            self.welcome()

    def welcome(self) -> None:
        """Descriptions and health, as a hello tells them."""
        descriptions, health = self.state.overview(self.selection)
        self.about = {name: [descriptions[name], _said(health[name])] for name in descriptions}
        self.mark = self.mark._replace(revision=self.state.revision)

    def take(self, most: int) -> Answer:
        """One message of at most so many updates."""
        answer = self.state.since(self.mark, self.selection, self.newest)
        for name in answer.gone:
            self.held.pop(name, None)
            if not self.newest:
                self.about.pop(name, None)
        if not self.newest:
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
        self.mark = Mark(at, answer.revision, self.mark.fill if more else None)
        return answer

    def seqs_now(self) -> dict[str, int]:
        return {u.stream: u.seq for u in self.state.serialize()}

    @property
    def up_to_date(self) -> bool:
        here = (self.mark.at, self.mark.revision, self.mark.fill)
        return here == (self.state.head, self.state.revision, None)


def _said(health: Health) -> tuple[str, str, str | None]:
    return health.state, health.level, health.error


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
        before = self.state.head
        try:
            self.state.check_room(drafts)
        except Refused as refused:
            assert refused.code == "state-full"
            return
        updates: list[Update] = []
        self.daemon.journal.append(drafts).addCallback(updates.extend)
        self.forgotten |= {u.stream for u in updates if u.value is None}
        assert all(
            a.at < b.at for a, b in zip([before, *updates], updates, strict=False) if a != before
        )
        assert not updates or updates[0].at > before
        assert not updates or self.state.head == updates[-1].at
        self.log += updates

    @rule(name=st.sampled_from(NAMES), description=st.sampled_from(DESCRIPTIONS))
    def describe(self, name: str, description: Description) -> None:
        self.state.describe(name, description, self.now(), name in self.daemon.descriptions)

    @rule(name=st.sampled_from(NAMES), error=st.sampled_from(["broken", "away"]))
    def fail(self, name: str, error: str) -> None:
        self.state.fail([name], error, self.now())

    @rule(name=st.sampled_from(NAMES))
    def prove(self, name: str) -> None:
        self.state.prove([name], self.now())

    @rule(name=st.sampled_from(NAMES))
    def withdraw(self, name: str) -> None:
        self.state.withdraw(name, self.now())

    @rule(
        seconds=st.sampled_from([0.0, 0.001, 3, 11, 30]), back=st.sampled_from([0, 0, 0, 5, 3600])
    )
    def time_passes(self, seconds: float, back: float) -> None:
        self.daemon.clock.advance(seconds)
        self.daemon.times.set_back(back)
        self.state.judge(self.now())
        for stream in self.state:
            proof = stream.began if stream.proof is None else stream.proof
            state = knowledge(stream.error, proof, stream.description.expect, self.now())
            assert stream.health.state == state, stream.name

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
        answer = viewer.take(most)
        assert [u.at for u in answer.updates] == sorted({u.at for u in answer.updates})
        if viewer.newest:
            assert len({u.stream for u in answer.updates}) == len(answer.updates)

    @precondition(lambda self: self.viewers)
    @rule(which=st.integers(0, 3))
    def reconnect(self, which: int) -> None:
        viewer = self.viewers[which % len(self.viewers)]
        if viewer.mark.fill is None and self.state.resumes(viewer.mark.at, viewer.selection):
            viewer.resume()
        else:
            viewer.begin()

    @precondition(lambda self: self.log)
    @rule(selection=st.sampled_from(SELECTIONS), back=st.integers(0, 30))
    def cursors(self, selection: Selection, back: int) -> None:
        """A cursor is honoured if, and only if, nothing selected after it is missing."""
        cursor = ([ORIGIN] + [update.at for update in self.log])[-back - 1 :][0]
        missed = [u for u in self.log if u.at > cursor and u.stream in selection]
        found = self.state.since(Mark(cursor, 0), selection).updates
        whole = list(found) == missed
        assert self.state.resumes(cursor, selection) == whole, (cursor, found, missed)

    # -- what is always true -----------------------------------------------------------------------

    @invariant()
    def the_newest_is_the_newest(self) -> None:
        wanted: dict[str, Update] = {}
        for update in self.log:
            wanted.pop(update.stream, None)
            if update.value is not None:
                wanted[update.stream] = update
        assert self.state.serialize() == sorted(wanted.values())
        for name in NAMES:
            expected = wanted.get(name)
            assert self.state.value(name) == (expected.value if expected else None)

    @invariant()
    def bytes_are_counted_and_bounded(self) -> None:
        streams = list(self.state._streams.values())
        assert self.state.bytes == sum(cost(u) for s in streams for u in s.history)
        newest = [s.history[-1] for s in streams if s.history and not s.gone]
        assert self.state._pinned == sum(map(cost, newest))
        assert self.state.bytes <= self.MAX_STATE

    @invariant()
    def every_index_knows_its_streams(self) -> None:
        state, streams = self.state, self.state._streams
        assert set(state._recent) == {name for name, s in streams.items() if s.history}
        assert set(state._tombs) == {name for name, s in streams.items() if s.gone}
        assert len(state) == len(list(state))
        at = [s.history[-1].at for s in state._recent.values()]
        assert at == sorted(at)
        noted = [s.noted for s in state._noted.values()]
        assert noted == sorted(noted)

    @invariant()
    def history_is_the_end_of_the_log(self) -> None:
        for stream in self.state:
            history = [u for u in stream.history if u.value is not None]
            log = [u for u in self.log if u.stream == stream.name]
            assert history == log[len(log) - len(history) :]
            kept = stream.description.keep.updates
            if self.last_judged(stream) and kept is not None:
                assert len(history) <= kept

    def last_judged(self, stream: Stream) -> bool:
        return stream.name not in ("a", "b")

    @invariant()
    def who_is_up_to_date_has_the_state(self) -> None:
        for viewer in self.viewers:
            if viewer.up_to_date:
                self.compare(viewer)

    def compare(self, viewer: Viewer) -> None:
        state = self.state
        values = {u.stream: to_python(u.value or b"") for u in state.serialize(viewer.selection)}
        assert viewer.held == values
        if not viewer.newest:
            descriptions, health = state.overview(viewer.selection)
            assert viewer.about == {n: [descriptions[n], _said(health[n])] for n in descriptions}

    @invariant()
    def nobody_is_told_twice_or_out_of_order(self) -> None:
        for viewer in self.viewers:
            assert all(u.stream in viewer.selection for u in viewer.seen)
            at = [update.at for update in viewer.seen]
            assert at == sorted(set(at))

    @invariant()
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
                viewer.take(2)
            self.compare(viewer)


StateMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
AnythingTests = StateMachine.TestCase


class RoomyMachine(StateMachine):
    """The same with room for all: nothing is ever lost but by forgetting."""

    MAX_STATE = 2**20


RoomyMachine.TestCase.settings = StateMachine.TestCase.settings
RoomyTests = RoomyMachine.TestCase
