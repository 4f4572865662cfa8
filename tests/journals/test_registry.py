"""The kinds of journals that a configuration can name."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest

from streamd import journals
from streamd.config.parse import parse
from streamd.journals.registry import JOURNAL_KINDS


def test_every_kind_is_in_the_registry() -> None:
    modules = [
        import_module(f"streamd.journals.{m.name}") for m in pkgutil.iter_modules(journals.__path__)
    ]
    kinds = [module.KIND for module in modules if hasattr(module, "KIND")]
    assert {kind.name for kind in kinds} == {kind.name for kind in JOURNAL_KINDS}


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ('kind = "memory"', "memory"),
        ('path = "log.db"', "sqlite"),
        ('url = "redis://localhost"', "redis"),
        ('url = "rediss://localhost"', "redis"),
    ],
)
def test_a_key_tells_the_kind(lines: str, name: str) -> None:
    journal = parse(f"[journal]\n{lines}", (), JOURNAL_KINDS).journal
    assert journal is not None
    assert journal.kind.name == name
