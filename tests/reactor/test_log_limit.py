"""A log that cannot be flooded."""

from __future__ import annotations

from io import StringIO

from twisted.internet.task import Clock
from twisted.logger import (
    FileLogObserver,
    Logger,
    LogPublisher,
)
from twisted.logger import formatEventAsClassicLogText as as_line
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamd.reactor.log_limit import LINES_PER_SECOND, MAX_KINDS, Quieted


class QuietTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.text = StringIO()
        self.publisher = LogPublisher(Quieted(FileLogObserver(self.text, as_line), self.clock))
        self.log = Logger("test", observer=self.publisher)

    @property
    def lines(self) -> list[str]:
        return [line.partition("] ")[2] for line in self.text.getvalue().splitlines()]

    def test_what_others_wrote_moves_no_cursor(self) -> None:
        self.log.info("{name} says {text}", name="a\x1b[2J", text="b\n2026 forged\u202e")
        self.assertEqual(["a\\u001b[2J says b\\u000a2026 forged\\u202e"], self.lines)

    def test_few_lines_pass_as_they_are(self) -> None:
        self.log.info("one {n}", n=1)
        self.log.warn("two")
        self.assertEqual(["one 1", "two"], self.lines)

    def test_many_of_one_kind_are_counted(self) -> None:
        for number in range(100):
            self.log.info("refused {n}", n=number)
        self.log.info("something else")
        wanted = [f"refused {number}" for number in range(LINES_PER_SECOND)] + ["something else"]
        self.assertEqual(wanted, self.lines)
        self.clock.advance(1)
        self.log.info("later")
        self.assertEqual(["95 more lines like: refused {n}", "later"], self.lines[-2:])

    def test_each_source_has_its_own(self) -> None:
        for number in range(3 * LINES_PER_SECOND):
            self.log.warn("{source} is away", source=f"s{number}")
        self.assertEqual([f"s{number} is away" for number in range(15)], self.lines)
        for _ in range(LINES_PER_SECOND):
            self.log.warn("{source} is away", source="s1")
        self.assertEqual(14 + LINES_PER_SECOND, len(self.lines))

    def test_each_second_begins_anew(self) -> None:
        for _ in range(3):
            for _ in range(LINES_PER_SECOND):
                self.log.info("again")
            self.clock.advance(1)
        self.assertEqual(["again"] * 3 * LINES_PER_SECOND, self.lines)

    def test_the_rest_is_reported_once(self) -> None:
        for _ in range(LINES_PER_SECOND + 1):
            self.log.info("many")
        for _ in range(3):
            self.clock.advance(1)
            self.log.info("later")
        self.assertEqual(1, self.lines.count("1 more lines like: many"))

    def test_the_count_says_nothing_of_the_line_after_it(self) -> None:
        for _ in range(10):
            self.log.info("many")
        self.clock.advance(1)
        self.log.failure("broken", Failure(ZeroDivisionError("why")))
        text = self.text.getvalue()
        self.assertEqual(1, text.count("ZeroDivisionError"))
        self.assertNotIn("UNABLE", text)
        self.assertIn("5 more lines like: many\n", text)

    def test_tracebacks_are_quieted_too(self) -> None:
        for _ in range(100):
            self.log.failure("broken", Failure(ZeroDivisionError()))
        self.assertEqual(LINES_PER_SECOND, self.text.getvalue().count("ZeroDivisionError"))

    def test_exceptions_move_no_cursor_and_show_no_password(self) -> None:
        """Also those whose text is not among their arguments, and objects that are fields."""

        class Odd(Exception):
            def __str__(self) -> str:
                return "no route to redis://u:s3cret@h\x1b[2J\n2026 forged\x9b"

        self.log.failure("broken: {error}", Failure(Odd()), error=Odd())
        try:
            raise Odd
        except Odd:
            self.log.failure("broken")
        text = self.text.getvalue()
        self.assertEqual(3, text.count("redis://u:…@h\\u001b[2J"))
        self.assertIn("Traceback (most recent call last):\n", text)
        for hidden in ("s3cret", "\x1b", "\x9b"):
            self.assertNotIn(hidden, text)
        self.assertFalse([line for line in text.splitlines() if line.startswith("2026 forged")])

    def test_kinds_are_bounded(self) -> None:
        for number in range(MAX_KINDS + 1000):
            self.log.info(f"kind {number}")
        self.assertEqual(MAX_KINDS + LINES_PER_SECOND, len(self.lines))
        self.clock.advance(1)
        self.log.info("later")
        self.assertIn("995 more lines like: ", self.lines)
