"""Descriptions: what a stream is, and the kinds of tiles that may show it."""

from __future__ import annotations

import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.description import KINDS_OF_TILE, Description, Keep, relayed
from streamd.core.duration import Duration
from streamd.core.presentation import Currency, DateOrTime, Days
from tests.support.daemon import CHECKOUT

KINDS = CHECKOUT / "web" / "kinds"


class KindsOfTileTests(SynchronousTestCase):
    def test_configuration_and_page_know_the_same_kinds(self) -> None:
        registry = (KINDS / "registry.js").read_text()
        modules = re.findall(r'^export \{ \w+ \} from "\./(\w+)\.js";$', registry, re.MULTILINE)
        names = [
            name
            for module in modules
            for name in re.findall(r'^  name: "(.*)",$', (KINDS / f"{module}.js").read_text(), re.M)
        ]
        self.assertEqual(KINDS_OF_TILE, tuple(names))


def faults(**settings: Any) -> dict[str, str]:
    return dict(Description(**settings).contradictions())


OCTOBER, DECEMBER = DateOrTime.parse("2026-10-01"), DateOrTime.parse("2026-12-31")


class ContradictionTests(SynchronousTestCase):
    def test_settings_that_fit(self) -> None:
        for fit in (
            {},
            {"words": {"0": "down"}, "unit": "°C", "decimals": 1},
            {"format": "money", "currency": "EUR", "decimals": 2, "unit": "/kg"},
            {"format": "number", "unit": "ms", "decimals": 0},
            {"format": "bytes", "decimals": 1},
            {"goal": 0.0, "by": DECEMBER},
            {"goal": -1.5, "begin": OCTOBER, "by": DECEMBER},
            {"format": "until", "begin": OCTOBER},
        ):
            self.assertEqual({}, faults(**fit), fit)

    def test_formats(self) -> None:
        self.assertIn("not both", faults(words={"0": "a"}, format="number")["format"])
        self.assertIn('currency = "EUR"', faults(format="money")["currency"])
        for other in (None, "number"):
            self.assertIn('format = "money"', faults(format=other, currency="EUR")["currency"])
        for own in ("percent", "bytes", "duration", "time", "date", "since", "until"):
            self.assertIn(f'"{own}"', faults(format=own, unit="x")["unit"])
        for whole in ("duration", "time", "date", "since", "until"):
            self.assertIn(f'"{whole}"', faults(format=whole, decimals=0)["decimals"])

    def test_goals(self) -> None:
        for goal in (float("inf"), float("nan")):
            self.assertIn("finite", faults(goal=goal)["goal"])
        self.assertEqual(["by"], list(faults(by=DECEMBER)))
        self.assertIn("needs by", faults(goal=1.0, begin=OCTOBER)["from"])
        late = faults(goal=1.0, begin=DECEMBER, by=OCTOBER)
        self.assertIn("before 2026-10-01", late["from"])
        mixed = faults(goal=1.0, begin=DateOrTime.parse("08:00"), by=DECEMBER)
        self.assertIn("the same form as 2026-12-31", mixed["from"])

    def test_comparison_needs_a_history_that_long(self) -> None:
        week, days = Days(7), Duration.parse
        self.assertEqual({}, faults(compare=week, keep=Keep(None, 7 * 86400.0)))
        self.assertEqual({}, faults(compare=week, rollup=days("8d")))
        for keep, rollup in ((Keep(), None), (Keep(9999), None), (Keep(None, 5.0), days("6d"))):
            short = faults(compare=week, keep=keep, rollup=rollup)
            self.assertIn('rollup = "8d"', short["compare"])


class PublicTests(SynchronousTestCase):
    def test_fields_for_viewers(self) -> None:
        described = Description(
            words={"0": "down"}, decimals=0, compare=Days(7), goal=0.0, begin=OCTOBER, by=DECEMBER
        )
        told = {"words": {"0": "down"}, "decimals": 0, "compare": "7d", "goal": 0.0}
        span = {"from": "2026-10-01", "by": "2026-12-31"}
        self.assertEqual({"keep": 100, **told, **span}, described.public())
        money = Description(format="money", currency=Currency("EUR")).public()
        self.assertEqual({"keep": 100, "format": "money", "currency": "EUR"}, money)

    def test_streams_of_other_logs_name_them(self) -> None:
        described = Description(title="Orders", keep=Keep(7))
        self.assertIs(described, relayed(described, ()))
        told = relayed(described, ("1", "2")).public()
        self.assertEqual({"keep": 7, "title": "Orders", "via": ["1", "2"]}, told)
        self.assertNotEqual(described, relayed(described, ("1",)))

    def test_word(self) -> None:
        self.assertEqual("down", Description(words={"0": "down"}).word(b"0"))
        self.assertIsNone(Description().word(b"0"))

    def test_durations_have_all_their_digits(self) -> None:
        for written, told in ("15d", "1296000s"), ("1234567s", "1234567s"), ("500ms", "0.5s"):
            length = Duration.parse(written)
            described = Description(keep=Keep(None, length), rollup=length).public()
            self.assertEqual((told, told), (described["keep"], described["rollup"]))
