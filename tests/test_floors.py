"""The law of the floors: a module imports only from floors below its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

PACKAGE = Path(__file__).resolve().parents[1] / "streamd"

# From the ground up. "sources.*" is the package with all that is in it.
FLOORS = [
    ["update", "http"],
    ["wire", "access", "health", "log", "sketch", "thin"],
    ["config"],
    ["stream"],
    ["state", "screens"],
    ["journal", "hub", "timer", "quiet", "ports", "worker"],
    ["source", "ordering", "link", "channel", "lean"],
    ["texts", "databases.session", "polling", "fast", "door", "redislink", "lease"],
    ["databases.drivers", "databases.rows", "peers"],
    ["databases.queries"],
    ["transports.*", "sources.*", "journals.*"],
    ["site", "kinds"],
    ["service", "check", "client", "start"],
    ["tap", "cli"],
]

# The floors up to this one are pure: plain values in, plain values out.
HIGHEST_PURE = 4

# Their own __init__ stays empty: all that import anything from the package would lean on it.
PACKAGES = {"", "databases", "transports", "sources", "journals"}

IMPURE = {"autobahn", "os", "random", "socket", "time", "twisted"}


def floor_of(module: str) -> int | None:
    """The number of the floor on which `module` (its name after "streamd.") stands, if it is on one."""
    names = {module, f"{module}.*", f"{module.partition('.')[0]}.*"}
    return next((number for number, floor in enumerate(FLOORS) if names & set(floor)), None)


def modules(package: Path) -> dict[str, str]:
    """The text of every module below `package`, by its dotted name: "" is the package itself."""
    texts = {}
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package).with_suffix("").parts
        texts[".".join(part for part in parts if part != "__init__")] = file.read_text()
    return texts


def imports(module: str, text: str, known: Mapping[str, str]) -> Iterator[str]:
    """The absolute name of every module that `text` imports anywhere, in functions too."""
    # A package is its own parent for relative imports.
    is_package = any(name.startswith(f"{module}.") for name in known)
    here = ["streamd", *module.split(".")] if module else ["streamd"]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = len(here) - node.level + (1 if is_package else 0)
            start = here[:parents] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            for alias in node.names:
                name = f"{base}.{alias.name}"
                # `from streamd import hub` imports a module, `from streamd.hub import Hub` does not.
                yield name if name.removeprefix("streamd.") in known else base


def breaches(known: Mapping[str, str]) -> Iterator[str]:
    """One sentence for every breach of the law in these modules."""
    for module, text in known.items():
        floor = floor_of(module)
        if module in PACKAGES:
            if any(imports(module, text, known)):
                yield f"streamd/{module}: the __init__ of a package imports nothing"
            continue
        if floor is None:
            yield f"streamd.{module} is on no floor: add it to FLOORS, and to docs/architecture.rst"
            continue
        for name in imports(module, text, known):
            if floor <= HIGHEST_PURE and name.partition(".")[0] in IMPURE:
                yield f"streamd.{module} is on floor {floor}, which is pure, and imports {name}"
            if name.partition(".")[0] != "streamd" or name == "streamd":
                continue
            other = floor_of(name.removeprefix("streamd."))
            if other is None or other >= floor:
                yield f"streamd.{module} is on floor {floor} and imports {name}, on floor {other}"


class FloorsTests(SynchronousTestCase):
    def test_every_module_keeps_the_law(self) -> None:
        known = modules(PACKAGE)
        self.assertIn("update", known)
        self.assertEqual([], list(breaches(known)))


class FloorsTestTests(SynchronousTestCase):
    """The test of the test: it sees what it is there to see."""

    def breaches_of(self, module: str, text: str) -> list[str]:
        known = {"": "", "update": "", "hub": "", "sources": "", "sources.sql": "", "state": ""}
        return list(breaches({**known, module: text}))

    def test_good_modules(self) -> None:
        self.assertEqual([], self.breaches_of("state", "import math\nfrom streamd import update"))
        self.assertEqual(
            [], self.breaches_of("hub", "import time\nfrom streamd.state import State")
        )
        self.assertEqual([], self.breaches_of("sources.new", "from ..hub import Hub"))

    def test_import_from_a_floor_above(self) -> None:
        [breach] = self.breaches_of("state", "from streamd.hub import Hub")
        self.assertIn("streamd.state is on floor 4 and imports streamd.hub, on floor 5", breach)

    def test_every_form_of_import(self) -> None:
        for text in (
            "import streamd.hub",
            "from streamd import hub",
            "from . import hub",
            "from .hub import Hub",
            "def late():\n    from streamd.hub import Hub",
            "if TYPE_CHECKING:\n    import streamd.hub as h",
        ):
            self.assertEqual(1, len(self.breaches_of("state", text)), text)

    def test_siblings(self) -> None:
        for text in (
            "from streamd.sources import sql",
            "from . import sql",
            "from .sql import Sql",
        ):
            self.assertEqual(1, len(self.breaches_of("sources.new", text)), text)

    def test_impure_import_on_a_pure_floor(self) -> None:
        for name in sorted(IMPURE):
            self.assertEqual(1, len(self.breaches_of("update", f"import {name}")), name)
        [breach] = self.breaches_of("state", "def now():\n    from twisted.internet import reactor")
        self.assertIn("pure", breach)

    def test_unknown_module(self) -> None:
        [breach] = self.breaches_of("news", "")
        self.assertIn("streamd.news is on no floor: add it to FLOORS", breach)

    def test_init_that_imports(self) -> None:
        [breach] = self.breaches_of("sources", "from streamd.update import Update")
        self.assertIn("imports nothing", breach)
