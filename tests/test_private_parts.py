"""The law of private parts: two modules alone use private names of other packages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Set
from itertools import chain

from twisted.trial.unittest import SynchronousTestCase

from tests.test_floors import PACKAGE, modules

ALLOWED = {"http.viewers.private_autobahn", "reactor.private_twisted"}

KAFKA_ERRORS = (
    "_ALL_BROKERS_DOWN",
    "_AUTHENTICATION",
    "_AUTO_OFFSET_RESET",
    "_RESOLVE",
    "_SSL",
    "_TIMED_OUT",
    "_TIMED_OUT_QUEUE",
    "_TRANSPORT",
    "_UNKNOWN_PARTITION",
    "_UNKNOWN_TOPIC",
)

PUBLIC = {("os", "_exit"), *(("KafkaError", name) for name in KAFKA_ERRORS)}
"""Documented in spite of the underscore, as the methods of named tuples are."""

NAMED_TUPLE = {"_asdict", "_fields", "_make", "_replace"}

CAMEL = re.compile(r"_[a-z]+[A-Z]\w*")
"""A private name of somebody else's: streamd's own are snake_case."""


def own_names(texts: Iterable[str]) -> set[str]:
    """The private names that these modules define: functions, and attributes that they set."""
    found = set()
    for node in chain.from_iterable(map(ast.walk, map(ast.parse, texts))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return {name for name in found if not CAMEL.fullmatch(name)}


def private_uses(text: str, own: Set[str] = frozenset()) -> Iterator[str]:
    """Each use in a module of a private name that is not one of its own project's."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and CAMEL.fullmatch(node.name):
            yield f"line {node.lineno}: def {node.name}"
        if not isinstance(node, ast.Attribute):
            continue
        name = node.attr
        owner = node.value.id if isinstance(node.value, ast.Name) else ""
        is_private = name == "__dict__" or re.match("_[^_]", name)
        if is_private and name not in own | NAMED_TUPLE and (owner, name) not in PUBLIC:
            yield f"line {node.lineno}: {ast.unparse(node)}"


class PrivatePartsTests(SynchronousTestCase):
    def test_two_modules_alone_use_private_parts(self) -> None:
        others = {m: text for m, text in modules(PACKAGE).items() if m not in ALLOWED}
        own = own_names(others.values())
        found = {m: uses for m, text in others.items() if (uses := list(private_uses(text, own)))}
        self.assertEqual({}, found)

    def test_both_use_some(self) -> None:
        known = modules(PACKAGE)
        own = own_names(text for module, text in known.items() if module not in ALLOWED)
        for module in ALLOWED:
            self.assertTrue(list(private_uses(known[module], own)), module)


class PrivatePartsTestTests(SynchronousTestCase):
    """The test of the test: it sees what it is there to see."""

    def test_uses(self) -> None:
        for text in (
            "transport._tempDataBuffer",
            "getattr(self, 'x')._observers",
            "self._waitingForTransport",
            "super()._fail_connection()",
            "self.__dict__ = {}",
            "class A(B):\n    def _closeConnection(self): pass",
        ):
            self.assertTrue(list(private_uses(text)), text)

    def test_own_names(self) -> None:
        own = own_names(["class A:\n    _b = 1\n    def _c(self): self._d = 1\n    _eF = 1"])
        self.assertEqual({"_b", "_c", "_d"}, own)
        for text in ("a._b", "super()._c()", "self._d", "x._replace(at=1)", "os._exit(1)", "a.b"):
            self.assertEqual([], list(private_uses(text, own)), text)
