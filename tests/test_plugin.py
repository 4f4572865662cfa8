"""The public interface: everything in it is documented, and the page has everything."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from textwrap import dedent
from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

from streamd import plugin
from streamd.config.kind import Kind, Surroundings
from streamd.config.parse import parse
from tests.support.fakes import Daemonette

CHECKOUT = Path(__file__).resolve().parents[1]


class PluginTests(SynchronousTestCase):
    def test_the_page_has_every_name(self) -> None:
        page = (CHECKOUT / "docs" / "plugin.rst").read_text()
        found = re.findall(r"^\.\. auto\w+:: (\w+)", page, re.MULTILINE)
        self.assertEqual(sorted(plugin.__all__), sorted(found))

    def test_the_kind_of_the_guide_runs(self) -> None:
        guide = (CHECKOUT / "docs" / "extending.rst").read_text()
        found = re.search(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+?)\nAnd its line", guide)
        assert found is not None
        daemon = Daemonette()
        module = ModuleType("load")
        self.patch(sys, "modules", {**sys.modules, "load": module})  # msgspec looks types up there
        exec(dedent(found[1]), vars(module))
        kind: Kind = module.KIND
        table = parse("[sources.office]\nload_of = 5", [kind]).sources["office"]
        source = kind.make("office", table.settings, Surroundings(daemon.clock, CHECKOUT))
        source.start(daemon.feed("office"))
        self.assertEqual({"office.load", "office.cores"}, set(daemon.values()))
        source.stop()

    def test_every_class_and_function_says_what_it_is_for(self) -> None:
        for name in plugin.__all__:
            if name != "DONE":
                self.assertTrue(getattr(plugin, name).__doc__, name)
