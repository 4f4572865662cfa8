"""Writing where nobody reads."""

from __future__ import annotations

import os

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamd.reactor.log_output import LOOK_EVERY, MAX_BACKLOG, LogOutput


class OutputTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.read, write = os.pipe()
        os.set_blocking(self.read, False)
        self.addCleanup(os.close, self.read)
        self.addCleanup(os.close, write)
        self.output = LogOutput(write, self.clock)

    def taken(self) -> bytes:
        """All that a reader gets in a while."""
        found = b""
        for _ in range(10):
            try:
                while True:
                    found += os.read(self.read, 1 << 20)
            except BlockingIOError:
                self.clock.advance(LOOK_EVERY)
        return found

    def test_a_line_is_written_at_once(self) -> None:
        self.output.write("one\n")
        self.output.flush()
        self.assertEqual(b"one\n", os.read(self.read, 100))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_lines_wait_for_the_reader_and_come_in_order(self) -> None:
        lines = [f"{number:06}{'x' * 93}\n" for number in range(2000)]  # 200 kB; a pipe has 64
        for line in lines:
            self.output.write(line)
        self.assertEqual("".join(lines).encode(), self.taken())
        self.assertEqual(0, self.output.dropped)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_unread_lines_are_dropped_and_counted(self) -> None:
        for number in range(20_000):
            self.output.write(f"{number:06}{'x' * 93}\n")
        self.assertLessEqual(self.output._size, MAX_BACKLOG)
        self.assertGreater(self.output.dropped, 10_000)
        *lines, last = self.taken().decode().splitlines()
        self.assertEqual([f"{n:06}{'x' * 93}" for n in range(len(lines))], lines)
        self.assertEqual(20_000 - len(lines), self.output.dropped)
        told = f"{self.output.dropped} lines of the log were dropped: its reader had stalled"
        self.assertEqual(told, last)

    def test_a_long_line(self) -> None:
        self.output.write("x" * 100_000 + "\n")
        self.assertEqual(100_001, len(self.taken()))

    def test_a_reader_that_is_gone_is_no_error(self) -> None:
        os.close(self.read)
        self.read, other = os.pipe()
        self.addCleanup(os.close, other)
        self.output.write("one\n")
        self.assertEqual(1, self.output.dropped)
