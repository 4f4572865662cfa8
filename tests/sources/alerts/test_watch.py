"""What an alert says, and when: events that begin, hold, and are over."""

from __future__ import annotations

from collections import Counter
from itertools import count

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.health.verdict import Health
from streamd.sources.alerts.outbox import AlertRecord
from streamd.sources.alerts.watch import CALM, MAX_TOLD, TOGETHER, Watch, condition_of

NOON = 1_763_790_000.0

WELL = Health("fresh", "ok", NOON)
CRITICAL = Health("fresh", "critical", NOON)
WARN = Health("fresh", "warn", NOON)
FAILED = Health("failed", "ok", NOON, None, "the disk is full")
LATE = Health("late", "ok", NOON)
LATE_CRITICAL = Health("late", "critical", NOON)


class Desk:
    """A watch, and the streams that it looks at every second."""

    def __init__(
        self, *when: str, lasting: float = 5.0, remind: float | None = None, muted: bool = False
    ) -> None:
        self._ids = map(str, count())
        self._options = (when or ("critical", "failed"), lasting, remind)
        self.watch = self._make()
        self.healths: dict[str, Health] = {}
        self.now = 0.0
        self.muted = muted
        self.said: list[tuple[float, str, str, list[str]]] = []

    def wait(self, seconds: float = 1.0, **healths: Health) -> None:
        self.healths.update(healths)
        for _ in range(int(seconds)):
            self.now += 1.0
            amiss = {name: health for name, health in self.healths.items() if health != WELL}
            for kind, event in self.watch.look(amiss, NOON + self.now, self.now, self.muted):
                names = sorted(event.open) if kind != "end" else sorted(event.streams)
                self.said.append((self.now, kind, event.id, names))

    def restart(self) -> None:
        """Continue from the record, as another process does."""
        record = msgspec.json.encode(AlertRecord(self.watch.events, [], self.watch.untold))
        self.watch = self._make()
        found = msgspec.json.decode(record, type=AlertRecord)
        self.watch.resume(found.events, found.untold, NOON + self.now, self.now)

    def _make(self) -> Watch:
        when, lasting, remind = self._options
        return Watch(when, lasting, remind, lambda: next(self._ids))

    @property
    def kinds(self) -> list[str]:
        return [kind for _, kind, _, _ in self.said]


class WatchTests(SynchronousTestCase):
    def test_what_holds_for_long_enough_begins_and_ends(self) -> None:
        desk = Desk()
        desk.wait(4, a=CRITICAL)
        self.assertEqual([], desk.said)
        desk.wait(60)
        self.assertEqual([(1 + 5 + TOGETHER, "begin", "0", ["a"])], desk.said)
        desk.wait(60, a=WELL)
        self.assertEqual(["begin", "end"], desk.kinds)
        self.assertEqual((65 + CALM, "end", "0", ["a"]), desk.said[1])
        self.assertEqual([], desk.watch.events)

    def test_limit_that_is_crossed_and_back_in_time_says_nothing(self) -> None:
        desk = Desk()
        for _ in range(100):
            desk.wait(4, a=CRITICAL)
            desk.wait(2, a=WELL)
        self.assertEqual([], desk.said)

    def test_source_that_flaps_is_one_event(self) -> None:
        desk = Desk(lasting=2.0)
        for _ in range(100):
            desk.wait(5, a=FAILED)
            desk.wait(CALM - 2, a=WELL)
        desk.wait(60)
        self.assertEqual([], desk.said)  # before ten seconds are over, it works again
        desk.wait(20, a=FAILED)
        for _ in range(100):
            desk.wait(CALM - 2, a=WELL)
            desk.wait(5, a=FAILED)
        desk.wait(60, a=WELL)
        self.assertEqual(["begin", "end"], desk.kinds)

    def test_what_begins_together_is_one_event(self) -> None:
        desk = Desk()
        desk.wait(3, a=CRITICAL)
        desk.wait(8, b=FAILED)
        desk.wait(60, c=CRITICAL)
        self.assertEqual([["a", "b"], ["c"]], [names for _, _, _, names in desk.said])
        desk.wait(60, a=WELL, c=WELL)
        self.assertEqual(["begin", "begin", "end"], desk.kinds)
        desk.wait(60, b=WELL)
        self.assertEqual((132 + CALM, "end", "0", ["a", "b"]), desk.said[-1])

    def test_unknown_value_ends_nothing(self) -> None:
        desk = Desk("critical")
        desk.wait(20, a=CRITICAL)
        desk.wait(500, a=LATE)
        desk.wait(500, a=FAILED)
        self.assertEqual(["begin"], desk.kinds)
        desk.wait(20, a=WELL)
        self.assertEqual(["begin", "end"], desk.kinds)

    def test_unknown_value_begins_nothing(self) -> None:
        desk = Desk("critical", "warn")
        desk.wait(500, a=LATE_CRITICAL)
        self.assertEqual([], desk.said)
        desk.wait(500, a=CRITICAL)
        self.assertEqual(["begin"], desk.kinds)

    def test_condition_of_a_value_that_becomes_unknown_is_reported(self) -> None:
        desk = Desk("critical")
        desk.wait(3, a=CRITICAL)
        desk.wait(60, a=LATE_CRITICAL)
        self.assertEqual("critical", desk.watch.events[0].streams["a"].what)

    def test_each_condition_counts_only_if_it_is_listed(self) -> None:
        told = {"critical": CRITICAL, "warn": WARN, "failed": FAILED, "late": LATE}
        for listed in told:
            for condition, health in told.items():
                desk = Desk(listed)
                desk.wait(60, a=health)
                counts = listed == condition or (listed, condition) == ("warn", "critical")
                self.assertEqual(["begin"] * counts, desk.kinds, (listed, condition))

    def test_forgotten_stream_is_over(self) -> None:
        desk = Desk()
        desk.wait(20, a=FAILED)
        del desk.healths["a"]
        desk.wait(20)
        self.assertEqual(["begin", "end"], desk.kinds)

    def test_reminders(self) -> None:
        desk = Desk(remind=100.0)
        desk.wait(350, a=CRITICAL)
        self.assertEqual(
            [(16, "begin"), (116, "reminder"), (216, "reminder"), (316, "reminder")],
            [(at, kind) for at, kind, _, _ in desk.said],
        )

    def test_what_becomes_worse_is_reported_at_once(self) -> None:
        desk = Desk("warn", "critical", remind=1000.0)
        desk.wait(100, a=WARN)
        desk.wait(3, a=CRITICAL)
        desk.wait(3, a=WARN)
        self.assertEqual(["begin"], desk.kinds)
        desk.wait(60, a=CRITICAL)
        self.assertEqual(["begin", "reminder"], desk.kinds)
        self.assertEqual("critical", desk.watch.events[0].streams["a"].what)
        desk.wait(60, a=WARN)
        desk.wait(60, a=CRITICAL)
        self.assertEqual(["begin", "reminder"], desk.kinds)

    def test_mute(self) -> None:
        desk = Desk(remind=10.0)
        desk.wait(16, a=CRITICAL)
        desk.muted = True
        desk.wait(100, b=CRITICAL)
        self.assertEqual(["begin"], desk.kinds)
        desk.wait(20, a=WELL)
        self.assertEqual(["begin", "end"], desk.kinds)
        desk.muted = False
        desk.wait(12)
        self.assertEqual(["begin", "end", "begin"], desk.kinds)

    def test_what_begins_and_ends_while_muted_is_never_reported(self) -> None:
        desk = Desk(muted=True)
        desk.wait(100, a=CRITICAL)
        desk.wait(20, a=WELL)
        desk.muted = False
        desk.wait(100)
        self.assertEqual([], desk.said)

    def test_restart(self) -> None:
        desk = Desk(remind=100.0)
        desk.wait(50, a=CRITICAL)
        desk.restart()
        desk.wait(50, a=LATE_CRITICAL)
        desk.wait(50, a=CRITICAL)
        self.assertEqual(["begin", "reminder"], desk.kinds)
        desk.restart()
        desk.wait(20, a=WELL)
        self.assertEqual(["begin", "reminder", "end"], desk.kinds)

    def test_condition_that_was_not_told_before_a_restart_is_told_after_it(self) -> None:
        desk = Desk(lasting=20.0)
        desk.wait(15, a=CRITICAL)
        desk.restart()
        desk.wait(15, a=LATE_CRITICAL)
        self.assertEqual([], desk.said)
        desk.wait(5)
        self.assertEqual([(1 + 20 + TOGETHER, "begin", "0", ["a"])], desk.said)
        self.assertEqual("critical", desk.watch.events[0].streams["a"].what)

    def test_clock_that_is_set_back(self) -> None:
        desk = Desk(remind=100.0)
        desk.wait(20, a=CRITICAL)
        [event] = desk.watch.events
        event.last += 86400.0
        desk.wait(101)
        self.assertEqual(["begin", "reminder"], desk.kinds)

    def test_room(self) -> None:
        desk = Desk()
        desk.wait(100, **{f"s{number:04}": CRITICAL for number in range(MAX_TOLD + 5)})
        self.assertEqual([MAX_TOLD], [len(names) for _, _, _, names in desk.said])
        desk.wait(60, s0000=WELL)
        self.assertEqual(["begin"], desk.kinds)
        desk.wait(20, **{f"s{number:04}": WELL for number in range(MAX_TOLD)})
        desk.wait(20)
        self.assertEqual(["begin", "end", "begin"], desk.kinds)
        self.assertEqual(5, len(desk.said[-1][3]))

    def test_condition(self) -> None:
        self.assertEqual("late", condition_of(LATE_CRITICAL))
        self.assertEqual("critical", condition_of(CRITICAL))
        self.assertEqual("failed", condition_of(FAILED))

    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from("abc"),
                st.sampled_from([WELL, CRITICAL, WARN, FAILED, LATE, LATE_CRITICAL, "restart"]),
                st.integers(1, 30),
                st.booleans(),
            ),
            max_size=30,
        ),
        st.sampled_from([None, 15.0]),
    )
    def test_every_event_begins_once_and_ends_once(
        self, steps: list[tuple[str, Health | str, int, bool]], remind: float | None
    ) -> None:
        desk = Desk("critical", "failed", "warn", remind=remind)
        for name, health, seconds, muted in steps:
            desk.muted = muted
            if isinstance(health, Health):
                desk.wait(seconds, **{name: health})
            else:
                desk.restart()
            told = Counter(name for event in desk.watch.events for name in event.open)
            self.assertLessEqual(set(told.values()), {1})  # no stream is in two events
        desk.wait(60, a=WELL, b=WELL, c=WELL)
        self.assertEqual([], desk.watch.events)
        by_event: dict[str, list[str]] = {}
        for _, kind, event, _ in desk.said:
            by_event.setdefault(event, []).append(kind)
        for kinds in by_event.values():
            self.assertEqual("begin", kinds[0])
            self.assertEqual("end", kinds[-1])
            self.assertEqual({"reminder"} & set(kinds), set(kinds[1:-1]))
