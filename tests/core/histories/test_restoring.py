"""A state that begins with a log: what it knows then, and what it must not claim.

The journal is a list here that keeps the promise of :mod:`streamd.journals.journal`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
import pytest

from streamd.core import catchup
from streamd.core.description import Description, Keep
from streamd.core.duration import Duration
from streamd.core.histories.saving import AT_ONCE, FOLLOWED, PAST
from streamd.core.limit import Limit
from streamd.core.reconfiguration import configure_streams
from streamd.core.retention import cost
from streamd.core.selection import Selection
from streamd.core.state import State
from streamd.core.stream import UNREADABLE, UNSETTLED
from streamd.core.update import ORIGIN, Position, Update
from tests.support.fakes import LIFE, TODAY

STREAMS = tuple("abcde")


class Kept:
    """What a journal has to keep, and no more."""

    def __init__(self) -> None:
        self.rows: list[Update] = []
        self.horizon = ORIGIN
        self._seqs: dict[str, int] = {}
        self._at = ORIGIN

    def append(self, stream: str, value: bytes | None, now: float) -> Update:
        self._at = self._at.next(int(now * 1000), LIFE)
        seq = self._seqs[stream] = self._seqs.get(stream, 0) + 1
        if value is None:
            del self._seqs[stream]
        self.rows.append(Update(stream, seq, self._at, now, value))
        return self.rows[-1]

    def trim(self, first: Mapping[str, Position], horizon: Position) -> None:
        self.rows = [
            u
            for u in self.rows
            if u.stream not in first
            or (u.at >= first[u.stream] and (u.value is not None or u.at > horizon))
        ]
        self.horizon = horizon


def restored(kept: Kept, now: float, **bounds: Any) -> State:
    state = State(now, **bounds)
    state.restore(LIFE, kept.rows, kept.horizon, {}, now, 0.0)
    return state


def known(state: State) -> list[Any]:
    """All that a state knows of the log."""
    streams = {
        # What is before the horizon is no cursor's business any more.
        s.name: (
            [(u.seq, u.at, u.value) for u in s.history],
            max(s.lost, state.kept.horizon),
            s.gone,
        )
        for s in state.streams.values()
    }
    return [state.life, state.head, state.size, state.kept.pinned, streams, list(state.serialize())]


def check_honest(state: State, log: Sequence[Update]) -> int:
    """Whoever may resume is told all of the log that he missed.

    :returns: how many may.
    """
    resumed = 0
    for cursor in (ORIGIN, *(update.at for update in log)):
        for selection in (Selection(), Selection(["a"]), Selection(["b", "c"])):
            if not catchup.resumes(state, cursor, selection):
                continue
            resumed += 1
            answer = catchup.since(state, catchup.resume(state, cursor), selection)
            missed: dict[str, list[Update]] = {}
            for update in log:
                if update.stream in selection and update.at > cursor:
                    missed.setdefault(update.stream, []).append(update)
                    if update.value is None:
                        missed[update.stream] = []
            assert answer.updates == sorted(chain(*missed.values()), key=lambda u: u.at)
            assert set(answer.gone) >= {n for n in missed if not missed[n]}
    return resumed


@pytest.mark.parametrize("seed", range(40))
def test_it_knows_what_the_one_before_knew(seed: int) -> None:
    rng = random.Random(seed)
    bounds: dict[str, Any] = {
        "descriptions": {
            "a": Description(keep=Keep(rng.randrange(1, 4))),
            "b": Description(keep=Keep(None, rng.randrange(1, 30))),
        },
        "max_streams": rng.choice((3, 4, 50)),
        "max_state": rng.choice((3000, 10**6)),
    }
    state, kept, now = State(TODAY, **bounds), Kept(), TODAY
    state.restore(LIFE, (), ORIGIN, {}, now, 0.0)
    log: list[Update] = []
    for _ in range(rng.randrange(5, 150)):
        now += rng.choice((0, 0.5, 3))
        value = None if rng.random() < 0.15 else b'"%d"' % rng.randrange(10 ** rng.randrange(1, 99))
        name = rng.choice(STREAMS)
        if value is None and state.get(name) is None:
            continue  # nobody forgets what is not there
        log.append(kept.append(name, value, now))
        state.apply(log[-1:], now)
        state.judge(now, now - TODAY)
        if rng.random() < 0.2:
            kept.trim(*state.losses())
    check_honest(state, log)
    again = restored(kept, now, **bounds)
    assert check_honest(again, log) > 3
    kept.trim(*state.losses())
    trimmed = restored(kept, now, **bounds)
    assert check_honest(trimmed, log) > 3
    if bounds["max_state"] > 3000:  # else more is let go of than has to be, and when depends
        assert known(again) == known(trimmed) == known(state)
    # Nor does it claim to have what the one before let go, when it may keep more itself.
    assert check_honest(restored(kept, now), log) > 3
    # And what is kept is bounded: the history, and a mark a stream.
    size = sum(len(stream.history) for stream in state.streams.values())
    assert len(kept.rows) <= size + len(state.streams)


def read(state: State, now: float) -> None:
    """Have a source called `a` read the newest value of its stream again."""
    source = state.sources.record("a", None)
    reading = state.sources.prepare(source, {"a": state.value("a") or b""}, now, known={})
    assert not reading.drafts
    state.sources.prove(source, reading, now)


class TestLate:
    """What is from before the start is not current until somebody says so."""

    def state(self, **description: Any) -> State:
        kept = Kept()
        kept.append("a", b"1", TODAY - 100)
        kept.append("a", b"9", TODAY - 50)
        return restored(kept, TODAY, descriptions={"a": Description(**description)})

    @pytest.mark.parametrize("expect", [None, Duration(1), Duration(10**6)])
    def test_for_any_expect(self, expect: Duration | None) -> None:
        state = self.state(expect=expect)
        [a] = state
        assert a.current_health().state == "late"
        assert a.current_health().proof == TODAY - 50
        assert a.current_health().since == TODAY
        assert list(a.silences) == [(TODAY - 50, None)]
        state.judge(TODAY + 1, 1.0)
        state.describe("a", Description(title="A"), TODAY + 1)
        assert a.health.state == "late"
        assert all(s.proof is not None and s.proof < TODAY - 1 for s in state)

    def test_until_an_update(self) -> None:
        state = self.state()
        at = state.head.next(int(TODAY * 1000), LIFE)
        state.apply([Update("a", 3, at, TODAY, b"9")], TODAY + 2)
        [a] = state
        assert (a.health.state, a.proof) == ("fresh", TODAY + 2)
        assert list(a.silences) == [(TODAY - 50, TODAY + 2)]

    def test_until_a_source_confirms_it(self) -> None:
        state = self.state()
        read(state, TODAY + 2)
        [a] = state
        assert (a.health.state, a.proof) == ("fresh", TODAY + 2)

    def test_a_source_that_fails(self) -> None:
        state = self.state()
        source = state.sources.record("a", None)
        state.sources.own(source, ["a"], TODAY + 2)
        state.sources.fail(source, "no answer", TODAY + 2)
        [a] = state
        assert (a.health.state, a.current_health().proof) == ("failed", TODAY - 50)
        read(state, TODAY + 3)
        assert a.health.state == "fresh"

    def test_forgotten_and_said_anew(self) -> None:
        state = self.state()
        gone = state.head.next(int(TODAY * 1000), LIFE)
        back = gone.next(0, LIFE)
        state.apply([Update("a", 3, gone, TODAY, None), Update("a", 1, back, TODAY, b"1")], TODAY)
        assert [s.health.state for s in state] == ["fresh"]

    def test_its_level_is_judged_as_usual(self) -> None:
        state = self.state(critical=Limit("> 5"))
        assert [s.current_health().level for s in state] == ["critical"]

    def test_a_proof_is_never_from_the_future(self) -> None:
        kept = Kept()
        kept.append("a", b"1", TODAY + 3600)
        [a] = restored(kept, TODAY)
        assert a.proof == TODAY


class TestUnreadable:
    """A value that is no JSON any more is let go, with all before it; the other streams live."""

    @pytest.mark.parametrize("value", [b"", b"{", b'"\xff"', b"NaN", b"[" * 10_000])
    def test_a_value(self, value: bytes) -> None:
        kept = Kept()
        log = [kept.append(name, b"%d" % n, TODAY + n) for n in range(4) for name in "abcd"]
        for row, update in enumerate(kept.rows):
            if (update.stream, update.seq) in (("a", 4), ("b", 2), ("c", 1)):
                kept.rows[row] = msgspec.structs.replace(update, value=value)
        now = TODAY + 10
        for _ in range(2):  # and so it is when the journal has let go of them, too
            state = State(now, {"a": Description(warn=Limit("> 5"))})
            assert set(state.restore(LIFE, kept.rows, kept.horizon, {}, now, 0.0)) == {
                "a",
                "b",
                "c",
            }
            seqs = {s.name: [u.seq for u in s.history] for s in state}
            assert seqs == {"a": [], "b": [3, 4], "c": [2, 3, 4], "d": [1, 2, 3, 4]}
            healths = {s.name: (s.health.state, s.error) for s in state}
            assert healths.pop("a") == ("failed", UNREADABLE)
            assert set(healths.values()) == {("late", None)}
            assert [
                u.stream for u in catchup.since(state, catchup.start(state), Selection()).updates
            ] == [*"bcd"]
            assert check_honest(state, log) > 3
            assert not catchup.resumes(state, log[-8].at, Selection("a"))
            kept.trim(*state.losses())
        at = state.head.next(0, LIFE)
        state.apply([Update("a", 5, at, now, b"1")], now)
        [a] = (s for s in state if s.name == "a")
        assert (a.health.state, state.size) == (
            "fresh",
            sum(map(cost, state.kept.log.after(ORIGIN))),
        )


def test_another_log_leaves_nothing_of_the_first() -> None:
    descriptions = {"a": Description(title="A")}
    kept = Kept()
    for name in ("a", "b", "b"):
        kept.append(name, b"1", TODAY)
    kept.append("b", None, TODAY)
    state = restored(kept, TODAY, descriptions=descriptions, max_streams=5)
    revision, cursor = state.revision, state.head
    state.restore(LIFE - 1, (), ORIGIN, {}, TODAY, 0.0)
    assert state.revision > revision
    assert [(s.name, s.newest, s.health.state) for s in state] == [("a", None, "fresh")]
    assert (state.head, state.size, len(state)) == (ORIGIN, 0, 1)
    assert not catchup.resumes(state, cursor, Selection())
    assert catchup.since(state, catchup.start(state), Selection()).updates == []


class Blocks(dict[str, dict[int, bytes]]):
    """The long histories that a journal has."""

    def store(self, state: State, now: float) -> None:
        self.keep(state.saving.take(now))

    def keep(self, blocks: Mapping[str, Mapping[int, bytes | None]]) -> None:
        for name, parts in blocks.items():
            for number, data in parts.items():
                if data is None:
                    self.get(name, {}).pop(number, None)
                else:
                    self.setdefault(name, {})[number] = data


ROLLED = {"a": Description(keep=Keep(4), rollup=Duration(3600), warn=Limit("> 5"))}


def past(state: State, end: float) -> Any:
    """The long history of a stream until a time."""
    long = state.streams["a"].long
    assert long is not None
    slots = [slot for slot in long.slots.read(TODAY, end) if slot.time < end]
    return slots, [list(segments.read(TODAY, end)) for segments in long.segments]


@pytest.mark.parametrize("seed", range(30))
def test_long_histories_survive_a_crash(seed: int) -> None:
    rng = random.Random(seed)
    now, kept, blocks = TODAY, Kept(), Blocks()
    state = State(now, ROLLED)
    state.restore(LIFE, (), ORIGIN, {}, now, 0.0)
    stored, loose = 0.0, 0  # updates since the last store: raw history has no more than four
    for _ in range(rng.randrange(1, 20)):
        for _ in range(rng.randrange(1, 4)):
            loose += 1
            now += rng.choice((0, 0.25, 3, 700))
            text = rng.choice((b"1", b"2.5", b"7", b'"up"', b"null"))
            state.apply([kept.append("a", text, now)], now)
            kept.trim(*state.losses())
            if rng.random() < 0.2:
                state.skip(["a"], "unreadable", now + 1)
                now += 2
                loose = 99
        before = past(state, now)
        if rng.random() < 0.5:
            blocks.store(state, now)
            assert blocks[""] == {-1: b"%f" % now}
            loose, stored = 0, now
        if loose < 4 and now < stored + 10 and state.streams["a"].health.state == "fresh":
            state = State(now, ROLLED)
            state.restore(LIFE, kept.rows, kept.horizon, blocks, now, 0.0)
            assert past(state, now)[0][:-1] == before[0][:-1]
            stored = 0.0  # what follows is stored first


def test_a_long_history_that_cannot_be_read_begins_anew() -> None:
    kept, blocks = Kept(), Blocks()
    state = State(TODAY, ROLLED)
    state.apply([kept.append("a", b"1", TODAY), kept.append("a", b"2", TODAY + 1)], TODAY + 1)
    blocks.store(state, TODAY + 2)
    blocks["a"][-1] = b"[]"
    state = State(TODAY, ROLLED)
    assert state.restore(LIFE, kept.rows, ORIGIN, blocks, TODAY + 3, 0.0) == {"a"}
    [one, two] = past(state, TODAY + 1.5)[0]
    assert (one.last, two.last) == (1.0, 2.0)
    assert state.saving.take(TODAY + 3)["a"][-1] != b"[]"


def test_blocks_of_a_stream_without_long_history_are_deleted() -> None:
    state = State(TODAY)
    state.restore(LIFE, (), ORIGIN, {"b": {-1: b"[]", 3: b"x"}}, TODAY, 0.0)
    assert state.saving.take(TODAY)["b"] == {-1: None, 3: None}
    assert "b" not in state.saving.take(TODAY)


def test_blocks_that_were_not_stored_are_unsaved_again() -> None:
    kept = Kept()
    state = State(TODAY, ROLLED)
    state.apply([kept.append("a", b"1", TODAY)], TODAY)
    blocks = state.saving.take(TODAY)
    assert "a" not in state.saving.take(TODAY)
    state.saving.give_back(blocks)
    assert state.saving.take(TODAY)["a"].keys() == blocks["a"].keys()


def test_a_forgotten_stream_loses_its_long_history() -> None:
    kept, blocks = Kept(), Blocks()
    state = State(TODAY, ROLLED)
    state.apply([kept.append("a", b"1", TODAY)], TODAY)
    blocks.store(state, TODAY)
    state.apply([kept.append("a", None, TODAY + 1)], TODAY + 1)
    assert past(state, TODAY + 2) == ([], [[], [], []])
    blocks.store(state, TODAY + 2)
    assert blocks["a"].keys() == {-1}


def test_another_node_that_followed_leaves_no_silence() -> None:
    kept, blocks = Kept(), Blocks()
    state = State(TODAY, ROLLED)
    state.apply([kept.append("a", b"1", TODAY)], TODAY)
    blocks.store(state, TODAY + 5)
    state = State(TODAY + 60, ROLLED)
    state.restore(LIFE, kept.rows, ORIGIN, blocks, TODAY + 60, 0.0)
    assert past(state, TODAY + 60)[1][2] == [(TODAY + 5, TODAY + 60, "silent")]
    state.confirm_since(ORIGIN, TODAY + 61)
    slots, segments = past(state, TODAY + 61)
    assert segments == [[], [(TODAY, TODAY + 61, "ok")], []]
    assert sum(slot.known for slot in slots) == 61


class Cluster:
    """Nodes that follow one log.  `a` got an update, and then the nodes died."""

    def __init__(self) -> None:
        self.kept, self.blocks = Kept(), Blocks()
        state = State(TODAY, ROLLED)
        state.apply([self.kept.append("a", b"1", TODAY)], TODAY)
        self.blocks.store(state, TODAY + 5)
        self.nodes: list[State] = []

    def node(self, now: float) -> State:
        """A node that starts."""
        state = State(now, ROLLED)
        state.shared = True
        state.restore(LIFE, self.kept.rows, ORIGIN, self.blocks, now, 0.0)
        self.nodes.append(state)
        return state

    def append(self, value: bytes, now: float) -> None:
        update = self.kept.append("a", value, now)
        for node in self.nodes:
            node.apply([update], now)

    def agree(self, now: float) -> tuple[Any, Any]:
        """What all nodes say of the past, byte for byte."""
        first: tuple[Any, Any]
        first, *others = [past(node, now) for node in self.nodes]
        for other in others:
            assert repr(other) == repr(first)
        return first


@pytest.mark.parametrize("other", ["before", "while it decides", "after", "last"])
def test_all_nodes_note_the_same_gap(other: str) -> None:
    cluster = Cluster()
    cluster.append(b"2", TODAY + 7)  # no node stores that it followed until here
    first = cluster.node(TODAY + 60)
    if other == "before":
        cluster.node(TODAY + 60.5)
    cluster.append(b"3", TODAY + 61.25)
    if other == "while it decides":
        cluster.node(TODAY + 61.5)
    cluster.blocks.keep(first.saving.parted(cluster.blocks[FOLLOWED], first.began))
    for node in cluster.nodes:
        assert node.gaps.undecided
        if node.began == first.began:
            node.decide(True)
        else:  # it has to read the log again
            assert len(node.saving.new_gaps(cluster.blocks[FOLLOWED])) == 1
            node.restore(LIFE, cluster.kept.rows, ORIGIN, cluster.blocks, TODAY + 62, 0.0)
            node.decide(False)
        assert not node.saving.new_gaps({})
    if other == "after":
        cluster.node(TODAY + 62).decide(False)
    cluster.append(b"4", TODAY + 62.75)
    if other == "last":
        cluster.blocks.store(first, TODAY + 65)
        cluster.node(TODAY + 66).decide(False)
    slots, segments = cluster.agree(TODAY + 70)
    assert segments[2] == [(TODAY + 7, TODAY + 61.25, "silent")]
    assert sum(slot.known for slot in slots) == 7 + 70 - 61.25


def test_a_node_notes_no_silence_before_it_knows_whether_another_one_followed() -> None:
    cluster = Cluster()
    node = cluster.node(TODAY + 60)
    assert node.streams["a"].health.state == "late"
    node.decide(False)
    node.confirm_since(ORIGIN, TODAY + 61)
    node.judge(TODAY + 61 + UNSETTLED, 0.0)
    assert cluster.agree(TODAY + 80)[1][2] == []
    node = cluster.node(TODAY + 80)
    node.decide(False)
    node.judge(TODAY + 80 + UNSETTLED, 0.0)
    assert past(node, TODAY + 99)[1][2] == [(TODAY + 5, TODAY + 99, "silent")]


def test_a_bounded_number_of_updates_waits_for_the_decision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamd.core.histories.gaps.MOST_WAITING", 2)
    cluster = Cluster()
    node = cluster.node(TODAY + 8)
    for second in range(3):
        assert node.gaps.undecided
        cluster.append(b"2", TODAY + 9 + second)
    assert not node.gaps.undecided
    assert past(node, TODAY + 11)[0][-1].last == 2


def test_a_forgotten_stream_does_not_wait_for_the_decision() -> None:
    cluster = Cluster()
    node = cluster.node(TODAY + 8)
    cluster.append(b"2", TODAY + 9)
    node.apply([cluster.kept.append("a", None, TODAY + 10)], TODAY + 10)
    node.decide(True)
    assert past(node, TODAY + 11) == ([], [[], [], []])


def test_a_silence_begins_when_the_last_update_was_appended() -> None:
    kept, state = Kept(), State(TODAY, ROLLED)
    state.restore(LIFE, (), ORIGIN, {}, TODAY, 0.0)
    state.apply([kept.append("a", b"1", TODAY)], TODAY + 0.25)  # so late this node heard of it
    state.skip(["a"], "unreadable", TODAY + 9)
    assert past(state, TODAY + 10)[1][2] == [(TODAY, TODAY + 10, "silent")]


def test_limits_may_change_over_a_restart() -> None:
    kept, blocks = Kept(), Blocks()
    state = State(TODAY, ROLLED)
    state.apply([kept.append("a", b"4", TODAY)], TODAY)
    blocks.store(state, TODAY + 5)
    state = State(TODAY + 6, {"a": msgspec.structs.replace(ROLLED["a"], warn=Limit("> 3"))})
    state.shared = True
    state.restore(LIFE, kept.rows, ORIGIN, blocks, TODAY + 6, 0.0)
    state.decide(False)
    levels = [(TODAY, TODAY + 6, "ok"), (TODAY + 6, TODAY + 9, "warn")]
    assert past(state, TODAY + 9)[1][1] == levels


def test_every_stream_has_its_turn_to_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamd.core.histories.saving.AT_ONCE", 0)
    state = State(TODAY, dict.fromkeys("abc", ROLLED["a"]))
    state.restore(LIFE, (), ORIGIN, {}, TODAY, 0.0)
    kept, stored = Kept(), []
    for second in range(3):
        state.apply([kept.append(name, b"1", TODAY + second) for name in "abc"], TODAY + second)
        stored.append(state.saving.take(TODAY + second))
    assert sorted(name for blocks in stored for name in blocks if name) == ["a", "b", "c"]
    assert [blocks.get(FOLLOWED) for blocks in stored] == [None, None, {-1: b"%f" % TODAY}]


def test_late_updates_of_many_streams_are_counted_in_several_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamd.core.histories.saving.READ_BYTES", AT_ONCE)
    state = State(TODAY, dict.fromkeys("abc", ROLLED["a"]))
    state.restore(LIFE, (), ORIGIN, {}, TODAY, 0.0)
    kept = Kept()
    for time in TODAY, TODAY - 9:
        updates = [msgspec.structs.replace(kept.append(n, b"1", TODAY), time=time) for n in "abc"]
        state.apply(updates, TODAY)
    assert [len(state.saving.take(TODAY)) for _ in range(3)] == [1, 1, 2]


def test_a_part_that_was_not_stored_begins_a_new_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamd.core.histories.saving.AT_ONCE", 0)
    state = State(TODAY, dict.fromkeys("abc", ROLLED["a"]))
    state.restore(LIFE, (), ORIGIN, {}, TODAY, 0.0)
    kept = Kept()
    state.apply([kept.append(name, b"1", TODAY) for name in "abc"], TODAY)
    state.saving.give_back(state.saving.take(TODAY))
    assert [FOLLOWED in state.saving.take(TODAY) for _ in range(3)] == [False, False, True]


def test_the_time_of_the_last_saving_is_not_deleted() -> None:
    state = State(TODAY)
    state.restore(LIFE, (), ORIGIN, {FOLLOWED: {-1: b"5"}}, TODAY, 0.0)
    assert state.saving.take(TODAY) == {}


def test_a_saving_in_the_future_makes_no_update_late() -> None:
    kept, state = Kept(), State(TODAY, ROLLED)
    state.restore(LIFE, (), ORIGIN, {}, TODAY, 0.0)
    state.apply([kept.append("a", b"1", TODAY)], TODAY)
    stored: Any = {**state.saving.take(TODAY), FOLLOWED: {-1: b"%f" % (TODAY + 1e6)}}
    state.restore(LIFE, kept.rows, ORIGIN, stored, TODAY + 100, 0.0)
    state.apply([kept.append("a", b"2", TODAY + 130)], TODAY + 130)
    long = state.streams["a"].long
    assert long is not None
    silences = [*long.segments[2].read(0.0, TODAY + 200)]
    assert silences == [(TODAY + 100, TODAY + 130, "silent")]


SHOP = {
    "shop.a": Description(rollup=Duration(86_400)),
    "shop.b": Description(rollup=Duration(60)),
}


class PastBlocks:
    """What a journal stores of long histories and pasts."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[int, bytes]] = {}

    def store(self, changes: Mapping[str, Mapping[int, bytes | None]]) -> None:
        for name, parts in changes.items():
            for number, data in parts.items():
                if data is None:
                    self.stored.get(name, {}).pop(number, None)
                else:
                    self.stored.setdefault(name, {})[number] = data

    def restored(self, descriptions: Mapping[str, Description]) -> State:
        state = State(TODAY, descriptions)
        state.restore(LIFE, (), ORIGIN, self.stored, TODAY, 0.0)
        return state


def fill(state: State, blocks: PastBlocks, place: bytes = b"here") -> None:
    """Fill the past of `shop.a`, as a backfill does."""
    stream = state.streams["shop.a"]
    stream.past = stream.make_past(TODAY)
    assert stream.past is not None
    stream.past.hear(TODAY - 3000, b"5")
    stream.past.reach(TODAY)
    blocks.store(state.saving.filled("shop", place, {"shop.a": stream.past}))


def past_size(state: State) -> int:
    past = state.streams["shop.a"].past
    return 0 if past is None else past.size


def test_a_past_and_how_far_its_backfill_is_come_back_together() -> None:
    blocks = PastBlocks()
    state = blocks.restored(SHOP)
    assert state.saving.backfills == {}
    fill(state, blocks)
    again = blocks.restored(SHOP)
    assert again.saving.backfills == {"shop": b"here"}
    assert past_size(again) == past_size(state) > 0


def test_a_past_with_slots_of_another_length_is_filled_again() -> None:
    blocks = PastBlocks()
    fill(blocks.restored(SHOP), blocks)
    longer = SHOP | {"shop.a": Description(rollup=Duration(864_000))}
    state, other = blocks.restored(longer), blocks.restored(longer)
    assert state.streams["shop.a"].past is None
    fill(state, blocks)
    blocks.store(other.saving.take(TODAY))  # the other node had the longer rollup a moment later
    assert past_size(blocks.restored(longer)) == past_size(state) > 0


def test_a_rollup_that_changes_on_one_node_after_the_other_deletes_no_new_past() -> None:
    blocks = PastBlocks()
    fill(blocks.restored(SHOP), blocks)
    longer = SHOP | {"shop.a": Description(rollup=Duration(864_000))}
    one, other = blocks.restored(SHOP), blocks.restored(SHOP)
    configure_streams(one, longer, TODAY)
    fill(one, blocks)
    configure_streams(other, longer, TODAY)
    blocks.store(other.saving.take(TODAY))
    assert past_size(blocks.restored(longer)) == past_size(one) > 0
    configure_streams(one, SHOP | {"shop.a": Description()}, TODAY)
    blocks.store(one.saving.take(TODAY))
    assert not blocks.stored[f"shop.a{PAST}"]


def test_what_is_left_of_a_former_past_is_deleted_with_the_next_fill() -> None:
    blocks = PastBlocks()
    fill(blocks.restored(SHOP), blocks)
    blocks.stored[f"shop.a{PAST}"][7] = b"of another length"
    state = blocks.restored(SHOP)
    fill(state, blocks)
    blocks.store(state.saving.take(TODAY))
    assert past_size(blocks.restored(SHOP)) == past_size(state) > 0
    assert 7 not in blocks.stored[f"shop.a{PAST}"]


def test_a_past_of_a_stream_that_is_not_configured_is_deleted() -> None:
    blocks = PastBlocks()
    fill(blocks.restored(SHOP), blocks)
    state = blocks.restored({})
    blocks.store(state.saving.take(TODAY))
    assert not blocks.stored[f"shop.a{PAST}"]


def test_a_past_that_is_over_is_deleted() -> None:
    blocks = PastBlocks()
    state = blocks.restored(SHOP)
    fill(state, blocks)
    state.judge(TODAY + 2 * 86_400, 1.0)
    changes = state.saving.take(TODAY)
    state.saving.give_back(changes)
    assert state.saving.take(TODAY) == changes
    blocks.store(changes)
    assert not blocks.stored[f"shop.a{PAST}"]


def test_what_could_not_be_stored_is_stored_with_the_next_part() -> None:
    blocks, none = PastBlocks(), PastBlocks()
    state = blocks.restored(SHOP)
    fill(state, none)
    past = state.streams["shop.a"].past
    assert past is not None
    state.saving.unfilled(none.stored)
    blocks.store(state.saving.filled("shop", b"here", {"shop.a": past}))
    assert blocks.stored == none.stored


def test_only_the_own_streams_with_rollup_are_filled() -> None:
    state = State(TODAY, SHOP | {"shop.c": Description(), "shops.a": SHOP["shop.a"]})
    assert list(state.saving.backfilled("shop")) == ["shop.a", "shop.b"]


def test_a_past_counts_towards_the_memory_of_all_history() -> None:
    blocks = PastBlocks()
    state = State(TODAY, SHOP, max_state=12_000)
    fill(state, blocks)
    state.judge(TODAY, 1.0)
    assert state.kept.long == past_size(state) > 0
    small = State(TODAY, SHOP, max_state=1000)
    fill(small, blocks)
    small.judge(TODAY, 1.0)
    assert past_size(small) == 0
