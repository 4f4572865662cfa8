"""Whether a stream can be believed, and whether somebody should look."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.health.verdict import knowledge, level
from streamd.core.limit import Limit


class LevelTests(SynchronousTestCase):
    def test_critical_before_warn(self) -> None:
        warn, critical = Limit("> 80"), Limit("> 90")
        levels = [level(value, warn, critical) for value in (80, 85, 95, None, "x")]
        self.assertEqual(["ok", "warn", "critical", "ok", "ok"], levels)
        self.assertEqual("ok", level(95, None, None))
        self.assertEqual("critical", level(95, None, critical))


class KnowledgeTests(SynchronousTestCase):
    def test_failed_before_late_before_fresh(self) -> None:
        self.assertEqual("failed", knowledge("no", 100, 5, 200))
        self.assertEqual("failed", knowledge("", 100, 5, 100))
        self.assertEqual("late", knowledge(None, 100, 5, 105.1))
        self.assertEqual("late", knowledge(None, None, 5, 0))
        self.assertEqual("fresh", knowledge(None, 100, 5, 105))
        self.assertEqual("fresh", knowledge(None, 100, None, 10**9))
        self.assertEqual("fresh", knowledge(None, None, None, 10**9))
