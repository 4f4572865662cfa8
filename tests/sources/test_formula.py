"""Formulas as sources: when they are computed, and what becomes of inputs that are not right."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.internet.defer import fail

from streamd.core.description import Description, Keep
from streamd.core.duration import Duration
from streamd.core.formulas.formula import Formula
from streamd.core.reconfiguration import set_private
from streamd.core.update import Draft
from streamd.journals.journal import Away
from streamd.sources.formula import FormulaSource
from tests.support.fakes import Daemonette, fail_source, prove, value
from tests.support.source import SourceTestCase
from tests.support.streams import mistake

WINDOW_FUNCTIONS = ("rate", "delta", "mean", "min", "max", "sum", "count", "ago")
TROUBLES = {
    "fails": ("failed", "shop.a: the disk is full"),
    "late": ("late", "shop.a is late"),
    "forgotten": ("late", "shop.a has no value yet"),
    "text": ("late", 'shop.a is the text "closed", not a number'),
    "null": ("late", "shop.a is null, not a number"),
    "object": ("late", "shop.a is an object, not a number"),
}
"""What may happen to an input, and what the result then says."""


class FormulaTests(SourceTestCase):
    def publish(self, **values: Any) -> None:
        drafts = [Draft(name.replace("__", "."), value(v)) for name, v in values.items()]
        self.successResultOf(self.daemon.journal.append(drafts))

    def start_formula(self, text: str, name: str = "result") -> FormulaSource:
        source = FormulaSource(Formula(text), self.daemon.clock, self.daemon.times.now)
        source.start(self.daemon.feed(name))
        self.addCleanup(source.stop)
        return source

    def pass_time(self, seconds: float = 1.0) -> None:
        for _ in range(int(seconds)):
            self.daemon.clock.advance(1.0)
            self.daemon.judge()

    def results(self, name: str = "result") -> list[Any]:
        return [said for stream, said in self.daemon.log if stream == name]

    def test_it_runs_when_an_input_changes_and_at_most_once_a_second(self) -> None:
        self.publish(a=1, b=2)
        self.start_formula("a + b")
        self.assertEqual([3], self.results())
        for number in range(10):
            self.publish(a=number)
        self.assertEqual([3], self.results())
        self.pass_time()
        self.assertEqual([3, 11], self.results())
        self.pass_time(5)
        self.assertEqual([3, 11], self.results())
        self.assertEqual(("fresh", None), self.daemon.health("result"))

    def test_an_input_that_fails(self) -> None:
        self.publish(a=1, b=2)
        self.start_formula("a if b > 1 else c + 1")  # c is in a branch that is not taken
        self.assertEqual(("late", "c has no value yet"), self.daemon.health("result"))
        self.publish(c=3)
        self.pass_time()
        self.assertEqual([1], self.results())
        fail_source(self.daemon.state, "c", "the disk is full", self.daemon.times.now())
        self.daemon.state.sources.own(
            self.daemon.state.sources.record("c", None), ["c"], self.daemon.times.now()
        )
        self.pass_time()
        self.assertEqual(("failed", "c: the disk is full"), self.daemon.health("result"))

    def test_an_input_that_is_late(self) -> None:
        self.daemon = Daemonette({"a": Description(expect=Duration(3))})
        self.publish(a=1)
        self.start_formula("a * 2")
        self.pass_time(5)
        self.assertEqual(("late", "a is late"), self.daemon.health("result"))
        self.publish(a=4)
        self.pass_time()
        self.assertEqual([2, 8], self.results())
        self.assertEqual(("fresh", None), self.daemon.health("result"))

    def test_an_input_that_is_forgotten(self) -> None:
        self.publish(a=1)
        self.start_formula("a * 2")
        self.daemon.journal.append([Draft("a", None)])
        self.pass_time()
        self.assertEqual(("late", "a has no value yet"), self.daemon.health("result"))

    def test_an_input_that_becomes_text(self) -> None:
        self.publish(a=1)
        self.start_formula("a * 2")
        self.publish(a="closed")
        self.pass_time()
        self.assertEqual(
            ("late", 'a is the text "closed", not a number'), self.daemon.health("result")
        )
        self.assertEqual([2], self.results())

    def test_no_trouble_of_an_input_leaves_a_number_that_looks_current(self) -> None:
        """Every kind of formula, and whatever may happen to an input, until it is right again."""
        windows = [f'{name}(shop.a, "5s")' for name in WINDOW_FUNCTIONS]
        plain = ["100 * shop.a / shop.b", "abs(shop.a)", 'mean("shop.*")', 'count("shop.*")']
        combined = ['mean(shop.a, "5s") / shop.b', "shop.a * 2 if shop.b > 1 else 0", "-shop.a"]
        for formula in plain + windows + combined:
            self._begin_anew(formula)
            self._climb()
            right = self.daemon.values()["result"]
            for trouble, told in TROUBLES.items():
                with self.subTest(formula=formula, trouble=trouble):
                    self._begin_anew(formula)
                    self._befall("shop.a", trouble)
                    self.pass_time()
                    self.assertEqual(told, self.daemon.health("result"))
                    if trouble == "fails":
                        prove(self.state, ["shop.a"], self.daemon.times.now(), "till")
                    self._climb()
                    self.assertEqual(("fresh", None), self.daemon.health("result"))
                    self.assertEqual(right, self.daemon.values()["result"])

    def _begin_anew(self, formula: str) -> None:
        self.make({"shop.a": Description(expect=Duration(4))})
        self.publish(shop__a=8, shop__b=2)
        self.start_formula(formula)
        self._climb()

    def _climb(self) -> None:
        for number in range(8):
            self.publish(shop__a=number)
            self.pass_time()
        self.assertEqual(("fresh", None), self.daemon.health("result"))

    def _befall(self, name: str, trouble: str) -> None:
        if trouble == "fails":
            fail_source(self.state, "till", "the disk is full", self.daemon.times.now())
            self.state.sources.own(
                self.state.sources.record("till", None), [name], self.daemon.times.now()
            )
        elif trouble == "late":
            self.pass_time(5)
        else:
            values = {"text": b'"closed"', "null": b"null", "object": b'{"x":1}'}
            self.daemon.journal.append([Draft(name, values.get(trouble))])

    def test_where_not_everybody_may_read_no_reason_names_an_input(self) -> None:
        """All viewers of the result get the same reason, also those who may not see an input."""
        for trouble, (state, _) in TROUBLES.items():
            with self.subTest(trouble):
                self._begin_anew("shop.a + 1")
                set_private(self.state, True)
                self._befall("shop.a", trouble)
                self.pass_time()
                found, error = self.daemon.health("result")
                self.assertEqual(state, found)
                self.assertIn(error, ("an input has failed", "an input has no value that fits"))

    def test_a_reason_names_no_input_once_the_wall_is_private(self) -> None:
        self.start_formula("shop.a / 0")
        self.assertEqual(("late", "shop.a has no value yet"), self.daemon.health("result"))
        set_private(self.state, True)
        self.pass_time()
        expected = ("late", "an input has no value that fits")
        self.assertEqual(expected, self.daemon.health("result"))
        self.publish(shop__a=1)
        self.pass_time()
        self.assertEqual(("late", "division by zero"), self.daemon.health("result"))

    def test_division_by_zero(self) -> None:
        self.publish(a=1, b=0)
        self.start_formula("a / b")
        self.assertEqual(("late", "division by zero"), self.daemon.health("result"))
        self.publish(b=2)
        self.pass_time()
        self.assertEqual([0.5], self.results())

    def test_time_moves_a_window(self) -> None:
        self.publish(a=0)
        self.start_formula('rate(a, "10s")')
        self.assertEqual(("late", "a is not known for 10s yet"), self.daemon.health("result"))
        self.pass_time(9)
        self.publish(a=20)
        self.pass_time(1)
        self.assertEqual([2], self.results())
        self.pass_time(11)
        self.assertEqual([2, 0], self.results())
        self.assertEqual(("fresh", None), self.daemon.health("result"))

    def test_a_counter_that_restarts(self) -> None:
        self.publish(a=1000)
        self.start_formula('delta(a, "10s")')
        self.pass_time(10)
        self.publish(a=1010)
        self.pass_time()
        self.publish(a=3)
        self.pass_time()
        self.assertEqual([0, 10, 13], self.results())

    def test_a_window_is_filled_from_history(self) -> None:
        self.daemon = Daemonette({"a": Description(keep=Keep(2), rollup=Duration(3600))})
        for number in range(100):
            self.publish(a=number)
            self.daemon.clock.advance(1.0)
        self.start_formula('mean(a, "60s")', "mean")
        self.start_formula('count(a, "60s")', "count")
        self.assertEqual([69.5], [round(said, 1) for said in self.results("mean")])
        self.assertEqual(("late", "a is not known for 60s yet"), self.daemon.health("count"))

    def test_a_window_is_filled_from_a_backfill(self) -> None:
        self.daemon = Daemonette({"a": Description(rollup=Duration(3600))})
        self.publish(a=7)
        self.start_formula('mean(a, "60s")', "mean")
        self.start_formula('ago(a, "60s")', "ago")
        stream, now = self.daemon.state.streams["a"], self.daemon.times.now()
        stream.past = past = stream.make_past(now)
        assert past is not None
        for second in range(100, 0, -1):
            past.hear(now - second, b"%d" % (second // 50))
        past.reach(now - 1)
        self.pass_time()
        self.assertEqual(("late", "a is not known for 60s yet"), self.daemon.health("mean"))
        past.reach(now)
        self.pass_time()
        self.assertEqual([0.4], [round(said, 1) for said in self.results("mean")])
        self.assertEqual([1], self.results("ago"))

    def test_a_window_of_a_stream_that_was_away_for_a_moment_is_filled_again(self) -> None:
        self.daemon = Daemonette({"a": Description(rollup=Duration(3600))})
        self.start_formula('ago(a, "60s")')
        stream = self.daemon.state.streams["a"]
        for number in (1, 2):
            if number == 2:  # between two looks
                self.successResultOf(self.daemon.journal.append([Draft("a", None)]))
            self.publish(a=7)
            self.pass_time()
            stream.past = past = stream.make_past(self.daemon.times.now())
            assert past is not None
            past.hear(self.daemon.times.now() - 100, b"%d" % number)
            past.reach(past.until)
            self.pass_time()
            self.assertEqual(number, self.results()[-1])
            self.assertEqual(("fresh", None), self.daemon.health("result"))

    def test_a_silence_counts_in_no_mean(self) -> None:
        self.daemon = Daemonette({"a": Description(expect=Duration(2))})
        self.publish(a=10)
        self.start_formula('mean(a, "20s")')
        self.pass_time(20)  # known for the first moment only
        self.publish(a=30)
        self.pass_time()
        self.assertEqual([30], self.results()[-1:])

    def test_a_time_in_the_future_counts_as_now(self) -> None:
        self.publish(a=0)
        self.start_formula('rate(a, "10s")')
        self.pass_time(10)
        self.daemon.journal.append([Draft("a", b"20", self.daemon.times.now() + 1e6)])
        self.pass_time(1)
        self.publish(a=30)
        self.pass_time(20)
        self.assertEqual([0, 2, 3, 0], self.results())

    def test_a_clock_that_is_set_back_begins_the_window_anew(self) -> None:
        self.publish(a=0)
        self.start_formula('delta(a, "60s")')
        self.pass_time(60)
        self.publish(a=20)
        self.pass_time(1)
        self.assertEqual([0, 20], self.results())
        self.daemon.times.set_back(3600)
        self.pass_time(1)
        self.assertEqual(("late", "a is not known for 60s yet"), self.daemon.health("result"))
        self.pass_time(60)
        self.assertEqual([0, 20, 0], self.results())

    def test_updates_that_were_dropped_unseen_are_not_counted(self) -> None:
        self.daemon = Daemonette({"a": Description(keep=Keep(2))})
        self.publish(a=0)
        self.start_formula('count(a, "10s")')
        self.pass_time(10)
        for number in range(5):
            self.publish(a=number)
        self.pass_time(1)
        self.assertEqual(("late", "a is not known for 10s yet"), self.daemon.health("result"))

    def test_slots_that_are_too_wide_fill_no_window(self) -> None:
        rollup = Duration(400 * 86_400)
        self.daemon = Daemonette({"a": Description(keep=Keep(2), rollup=rollup)})
        for number in range(100):
            self.publish(a=number)
            self.daemon.clock.advance(1.0)
        self.start_formula('delta(a, "60s")')
        self.assertEqual(("late", "a is not known for 60s yet"), self.daemon.health("result"))

    def test_a_result_that_the_journal_refused_is_not_shown_as_current(self) -> None:
        self.publish(a=1)
        self.start_formula("a * 2")
        self.publish(a=2)
        with patch.object(self.daemon.journal, "append", lambda *_, **__: fail(Away("full"))):
            self.pass_time(3)
            self.assertEqual("failed", self.daemon.health("result")[0])
        self.pass_time(1)
        self.assertEqual([2, 4], self.results())
        self.assertEqual(("fresh", None), self.daemon.health("result"))

    def test_a_source_without_streams_that_fails(self) -> None:
        self.start_formula("shop * 2")
        state, now = self.daemon.state, self.daemon.times.now()
        state.sources.fail(state.sources.record("shop", None), "no database", now)
        self.pass_time(1)
        self.assertEqual(("failed", "shop: no database"), self.daemon.health("result"))

    def test_a_glob_that_grows(self) -> None:
        self.publish(shop__a=1)
        self.start_formula('sum("shop.*")')
        self.publish(shop__b=4)
        self.pass_time()
        self.daemon.journal.append([Draft("shop.a", None)])
        self.pass_time()
        self.assertEqual([1, 5, 4], self.results())

    def test_a_formula_of_a_formula(self) -> None:
        self.publish(a=1)
        self.start_formula("a + 1", "b")
        self.start_formula("b * 10", "c")
        self.assertEqual([20], self.results("c"))
        self.publish(a=2)
        self.pass_time(2)
        self.assertEqual([20, 30], self.results("c"))
        self.publish(a="x")
        self.pass_time(2)
        self.assertEqual(("late", 'b: a is the text "x", not a number'), self.daemon.health("c"))

    def test_a_value_again_after_the_same_trouble(self) -> None:
        self.publish(a=1, b=1)
        self.start_formula("a / b")
        self.publish(b=0)
        self.pass_time()
        self.publish(b=1)
        self.pass_time()
        self.assertEqual(("fresh", None), self.daemon.health("result"))
        self.assertEqual([1], self.results())

    def test_configuration(self) -> None:
        self.assertEqual(
            'sources.x.formula: column 5: unknown function "median"; known: abs, ago, count, '
            "delta, max, mean, min, rate, round, s, sum",
            mistake('[sources.x]\nformula = "1 + median(a)"'),
        )
        self.assertEqual(
            "sources.a.formula: it needs its own result: a needs b needs a",
            mistake('[sources.a]\nformula = "b"\n[sources.b]\nformula = "a"'),
        )
