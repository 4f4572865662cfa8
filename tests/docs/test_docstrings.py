"""Every role in a docstring, such as ``:class:`Hub```, names one thing that exists."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name, walk_packages
from types import ModuleType

import pytest

import streamd

MODULES = sorted(
    module.name for module in walk_packages(streamd.__path__, "streamd.") if not module.ispkg
)

_ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod|obj):`~?([\w.]+)`")


def exists(name: str, module: ModuleType) -> bool:
    """Whether `name` is there: absolute, in `module` or one of its classes, or in any module.

    A name in any module is enough, because names are unique in the project.
    """
    classes = [thing for thing in vars(module).values() if isinstance(thing, type)]
    places = [f"{one.__module__}:{one.__qualname__}." for one in classes]
    places += ["", *(f"{other}:" for other in MODULES)]
    for place in places:
        with suppress(AttributeError, ImportError, ValueError):
            resolve_name(place + name)
            return True
    return False


def dangling(text: str, module: ModuleType) -> Iterator[str]:
    """Yield each role in `text` that names nothing, as seen from `module`."""
    for role in _ROLE.finditer(text):
        if not exists(role[1], module):
            yield role[0]


@pytest.mark.parametrize("name", MODULES)
def test_no_role_dangles(name: str) -> None:
    module = import_module(name)
    assert list(dangling(Path(str(module.__file__)).read_text(), module)) == []


def test_a_dangling_role_is_seen() -> None:
    text = (
        ":class:`Hub` :meth:`wake` :meth:`Hub.wake` :func:`~twisted.python.log.err` :class:`Gone`"
    )
    assert list(dangling(text, import_module("streamd.hub.hub"))) == [":class:`Gone`"]


def test_no_two_classes_have_one_name() -> None:
    """A reader of a role or of an annotation knows which class is meant."""
    modules = map(import_module, MODULES)
    classes = {
        thing
        for module in modules
        for thing in vars(module).values()
        if isinstance(thing, type) and thing.__module__.startswith("streamd.")
    }
    names = Counter(each.__name__ for each in classes if not each.__name__.startswith("_"))
    assert [name for name, count in names.items() if count > 1] == []
