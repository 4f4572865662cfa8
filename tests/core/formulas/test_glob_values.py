"""Glob values: after any changes they are what the state says, and cost no more than the changes."""

from __future__ import annotations

import random
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.formulas.evaluation import Unknown, number
from streamd.core.formulas.glob_values import GlobValues
from streamd.core.selection import Selection
from streamd.core.state import State
from streamd.core.update import ORIGIN, Update
from streamd.core.values import to_python

NAMES = [f"{shop}.{n}" for shop in ("a", "b") for n in range(6)]


class Says:
    """A state, and updates for it."""

    def __init__(self) -> None:
        self.state = State(0.0, max_streams=8)
        self.now = 1.0
        self.begin()

    def begin(self) -> None:
        self.state.restore(1, (), ORIGIN, {}, self.now, self.now)

    def put(self, name: str, value: bytes | None) -> None:
        at = self.state.head.next(int(self.now * 1000), 1)
        seq = 1 if value is not None else 2
        self.state.apply([Update(name, seq, at, self.now, value)], self.now)


def expected(state: State) -> tuple[list[float], set[str], bool]:
    """The numbers of a glob, the streams without a current value, and whether a value is no number."""
    numbers: list[float] = []
    unfit: set[str] = set()
    wrong = False
    for stream in state.selected(Selection(["a.*"])):
        if stream.health.state != "fresh" or stream.newest is None:
            unfit.add(stream.name)
            continue
        try:
            numbers.append(number(to_python(stream.newest.value or b""), ""))
        except Unknown:
            wrong = True
    return sorted(numbers), unfit, wrong


class GlobValuesTests(SynchronousTestCase):
    def test_they_are_what_the_state_says_after_any_changes(self) -> None:
        for seed in range(30):
            rng, says = random.Random(seed), Says()
            values = GlobValues(says.state, "a.*")
            for _ in range(60):
                for _ in range(rng.choice((0, 1, 1, 2, 12))):
                    says.now += 1.0
                    name, chance = rng.choice(NAMES), rng.random()
                    if chance < 0.15:
                        says.put(name, None)
                    elif chance < 0.25:
                        says.state.skip([name], "unreadable", says.now)
                    elif chance < 0.27:
                        says.begin()
                    else:
                        says.put(name, rng.choice((b"1", b"2.5", b"-7", b"true", b'"up"')))
                values.follow()
                numbers, unfit, wrong = expected(says.state)
                self.assertEqual(unfit, {*values.unfit})
                if wrong:
                    self.assertRaises(Unknown, values.numbers)
                else:
                    self.assertEqual(numbers, sorted(values.numbers()))
                version = values.version
                values.follow()
                self.assertEqual(version, values.version)

    def test_one_change_costs_one(self) -> None:
        says = Says()
        for name in NAMES[:8]:
            says.put(name, b"1")
        values = GlobValues(says.state, "a.*")
        values.follow()
        says.put("a.3", b"5")
        says.put("b.0", b"5")
        with patch.object(GlobValues, "_take", autospec=True, side_effect=GlobValues._take) as take:
            values.follow()
        self.assertEqual(["a.3"], [call.args[1] for call in take.call_args_list])
        self.assertEqual(10.0, sum(values.numbers()))

    def test_many_changes_elsewhere_cost_no_more_than_its_streams(self) -> None:
        says = Says()
        says.put("a.1", b"1")
        values = GlobValues(says.state, "a.*")
        values.follow()
        for name in NAMES[6:]:
            says.put(name, b"1")
        changed = iter(["b.1"] * 3)
        with patch.object(values, "_changed", lambda: changed):
            values.follow()
        self.assertEqual(1, len([*changed]))

    def test_another_reason_is_a_change(self) -> None:
        says = Says()
        says.put("a.1", b"1")
        values = GlobValues(says.state, "a.*")
        versions = set()
        for why in "one", "two":
            says.state.skip(["a.1"], why, says.now)
            values.follow()
            versions.add(values.version)
        self.assertEqual(2, len(versions))
