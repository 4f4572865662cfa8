"""Lines for machines."""

from __future__ import annotations

import json
import os

from twisted.logger import LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamd.reactor.log_format import is_journal, journal_line, json_line


def failed() -> Failure:
    try:
        raise ZeroDivisionError("by zero")
    except ZeroDivisionError:
        return Failure()


class FormatTests(SynchronousTestCase):
    def event(self, **fields: object) -> dict[str, object]:
        about = {"log_format": "{n} is\u20ac", "n": 7, "log_namespace": "streamd.x"}
        return {**about, "log_time": 1_763_790_000.5, "log_level": LogLevel.warn, **fields}

    def test_the_journal_gets_a_priority_for_each_line(self) -> None:
        self.assertEqual("<4>7 is\u20ac\n", journal_line(self.event()))
        first, *rest = journal_line(self.event(log_failure=failed())).splitlines()
        self.assertEqual("<4>7 is\u20ac", first)
        self.assertTrue(all(line.startswith("<4>") for line in rest))
        self.assertIn("ZeroDivisionError: by zero", rest[-1])

    def test_json(self) -> None:
        line = json_line(self.event())
        self.assertEqual(1, line.count("\n"))
        about = {"time": "2025-11-22T05:40:00.500+00:00", "level": "warn", "logger": "streamd.x"}
        self.assertEqual({**about, "text": "7 is\u20ac"}, json.loads(line))
        traceback = json.loads(json_line(self.event(log_failure=failed())))["traceback"]
        self.assertIn("ZeroDivisionError: by zero", traceback)

    def test_an_event_without_a_level(self) -> None:
        self.assertEqual("<6>x\n", journal_line({"log_format": "x"}))
        self.assertEqual("info", json.loads(json_line({"log_format": "x"}))["level"])

    def test_whether_it_is_the_journal(self) -> None:
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        about = os.fstat(write)
        stream = {"JOURNAL_STREAM": f"{about.st_dev}:{about.st_ino}"}
        self.assertTrue(is_journal(write, stream))
        self.assertFalse(is_journal(write, {}))
        self.assertFalse(is_journal(write, {"JOURNAL_STREAM": "1:2"}))
        os.close(write)
        self.assertFalse(is_journal(write, stream))
