"""Descriptions: what a stream is, and the kinds of tiles that may show it."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.description import KINDS_OF_TILE
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
