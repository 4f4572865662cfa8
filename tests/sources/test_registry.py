"""A kind of source is one step: its module, and its line in the registry."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

from streamd import sources
from streamd.config.kind import Kind
from streamd.sources.registry import SOURCE_KINDS


def modules() -> Iterable[ModuleType]:
    """Every module of streamd.sources, those of packages within it too."""
    for found in pkgutil.walk_packages(sources.__path__, "streamd.sources."):
        yield import_module(found.name)


def forgotten(modules: Iterable[ModuleType], kinds: Iterable[Kind]) -> list[str]:
    """One sentence for every module whose KIND is not among `kinds`."""
    known = {kind.name for kind in kinds}
    return [
        f"{module.__name__} has a KIND that no configuration can use: "
        "add it to SOURCE_KINDS in streamd/sources/registry.py"
        for module in modules
        if (kind := getattr(module, "KIND", None)) is not None and kind.name not in known
    ]


class RegistryTests(SynchronousTestCase):
    def test_every_kind_is_in_the_registry(self) -> None:
        self.assertEqual([], forgotten(modules(), SOURCE_KINDS))

    def test_a_forgotten_kind_is_named(self) -> None:
        [sentence] = forgotten(modules(), [k for k in SOURCE_KINDS if k.name != "http"])
        self.assertIn("streamd.sources.http has a KIND that no configuration can use", sentence)

    def test_every_name_is_unique(self) -> None:
        names = [kind.name for kind in SOURCE_KINDS]
        self.assertEqual(len(names), len(set(names)))

    def test_no_key_tells_two_kinds_but_query_that_listen_may_have(self) -> None:
        told = [key for kind in SOURCE_KINDS for key in kind.told_by]
        self.assertEqual(len(told), len(set(told)))
