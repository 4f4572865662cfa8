"""The law of the floors: a module imports only from floors below its own."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

PACKAGE = Path(__file__).resolve().parents[1] / "streamd"

# Packages from the ground up: a module imports only from its own package and from those before it.
PACKAGES = [
    "core",
    "wire",
    "reactor",
    "config",
    "hub",
    "journals",
    "sources",
    "cluster",
    "http",
    "plugin",
    "app",
]

# Modules of each package from the ground up: a module imports only from floors of its package below its
# own.  A package in a package is named with a dot.
FLOORS = {
    "core": [
        "duration histogram limit parsed_text printable record steps",
        "errors histories.slot picture presentation type_errors",
        "description health.verdict histories.segments histories.slots quota rate selection "
        "update values",
        "cursor health.source_health histories.blocks histories.late_updates histories.moments "
        "histories.thinning log names one_line pointer rights roster timeline trend",
        "formulas.evaluation histories.long_history template",
        "histories.past",
        "stream",
        "formulas.formula_reader histories.period retention",
        "formulas.formula",
        "room",
        "streams",
        "histories.gaps",
        "formulas.glob_values health.ownership histories.saving",
        "health.readings",
        "state",
        "catchup reconfiguration",
    ],
    "wire": [
        "encoding influx requests",
        "badge overview plain v1",
        "events frames past poll",
        "socketio",
    ],
    "reactor": [
        "connections deadline private_twisted",
        "log_format log_limit log_output redis_client slices timer turn_end worker",
    ],
    "config": [
        "colour extras fields lines picture_file screens tiles",
        "access alerts hooks kind own_pages walls",
        "faults tables",
        "parse",
    ],
    "hub": [
        "deliveries screens sweep",
        "audience",
        "fills messages pace seats",
        "hub",
        "link open_viewers",
        "fast_write",
    ],
    "journals": [
        "append_counts",
        "journal",
        "file_format log_state queue redis_requests rows",
        "queued_journal",
        "local log_file redis_log redis_session",
        "memory redis sqlite",
        "registry",
    ],
    "sources": [
        "alerts.watch errors files.matching_process records settings shape",
        "alerts.message files.matching files.tail web.http_answer",
        "brokers.amqp_errors brokers.amqp_receipts brokers.broker_url brokers.mqtt_topics",
        "alerts.apprise_sender alerts.outbox backfills.rows backfills.spans brokers.amqp_keys "
        "prometheus.answers web.http_client",
        "backfills.backfill_log backfills.windows complaints databases.rows databases.statements "
        "prometheus.past_points",
        "databases.past_rows databases.series databases.session feed",
        "backfills.backfill databases.mysql_driver databases.postgres_driver "
        "databases.sqlite_driver entries polling",
        "databases.sqlalchemy_driver web.http_get",
        "alerts.webhook databases.drivers databases.new_rows incoming_texts random_walk source "
        "web.event_stream",
        "alerts.delivery call command demo events former formula http image prometheus.client "
        "redis remote",
        "alerts.alert brokers.amqp_frames brokers.mqtt_packets databases.queries "
        "prometheus.past_query web.web_socket_client",
        "brokers.amqp_login brokers.inbox brokers.kafka_client brokers.mqtt_client "
        "databases.past_query promql",
        "brokers.amqp_client",
        "amqp kafka listen mqtt sql",
        "file web_socket",
        "registry",
    ],
    "cluster": [
        "lease",
        "shift",
        "peers shifts",
    ],
    "http": [
        "access.client_address access.grants access.guesses access.principal access.proxies "
        "connection_limits head publishing.senders reading.history reading.typeface",
        "access.codes access.tokens admin.command_body request",
        "access.local_program admin.refusals failures handshake reading.badges reading.matched "
        "reading.periods reading.pictures",
        "access.credentials access.origins publishing.delivery reading.health reading.page "
        "reading.reached reading.read uploads viewers.events viewers.poll",
        "access.private_answers access.rules bodies reading.own_pages viewers.private_autobahn",
        "access.access",
        "admin.alerts admin.grant_commands admin.links admin.pairing admin.screens admin.sign_in "
        "exchange rates reading.metrics request_log",
        "peer publishing.publish short_posts",
        "publishing.live_publish",
        "viewers.websocket",
        "viewers.conversation",
        "viewers.socketio_poll",
        "viewers.socketio_viewer",
        "channel publishing.hooks publishing.influx viewers.socketio",
        "door",
        "site",
    ],
    "app": [
        "cli.daemon_url cli.output cli.suggestion defaults notify ports process watch",
        "cli.probe cli.remote_daemon load",
        "alerts cli.arguments cli.backfill_sample cli.examination cli.run_source",
        "log pages rules status",
        "metrics upkeep",
        "service",
        "reload",
        "cli.alert cli.backup cli.check cli.doctor cli.publish cli.tail cli.try_query tap",
        "cli.link cli.mute cli.pair cli.screens",
        "cli.revoke",
        "cli.serve",
        "cli.main",
    ],
}

# These are pure: plain values in, plain values out.  They are told the time.
PURE = {"core", "wire"}

IMPURE = {"autobahn", "os", "random", "socket", "time", "twisted"}

Place = tuple[int, int]


def place_of(module: str) -> Place | None:
    """The package"s number and the module"s floor in it; None if `module` has no place.

    `module` is its name after "streamd.".
    """
    package, _, rest = module.partition(".")
    if package not in PACKAGES:
        return None
    if not rest:
        return PACKAGES.index(package), 0
    floors = enumerate(FLOORS.get(package, ()))
    return next(
        ((PACKAGES.index(package), n) for n, floor in floors if rest in floor.split()), None
    )


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
    packages = {"", *(name.rpartition(".")[0] for name in known)}
    for module, text in known.items():
        if module in packages:
            if any(imports(module, text, known)):
                yield f"streamd/{module}: the __init__ of a package imports nothing"
            continue
        place = place_of(module)
        if place is None:
            yield f"streamd.{module} has no place: add it to FLOORS, and to docs/modules.rst"
            continue
        for name in imports(module, text, known):
            if PACKAGES[place[0]] in PURE and name.partition(".")[0] in IMPURE:
                yield f"streamd.{module} is pure, and imports {name}"
            if name.partition(".")[0] != "streamd" or name == "streamd":
                continue
            other = place_of(name.removeprefix("streamd."))
            if other is None or other >= place:
                yield f"streamd.{module} stands at {place} and imports {name}, which stands at {other}"


class FloorsTests(SynchronousTestCase):
    def test_every_module_keeps_the_law(self) -> None:
        known = modules(PACKAGE)
        self.assertIn("core.update", known)
        self.assertEqual([], list(breaches(known)))

    def test_every_place_has_a_module(self) -> None:
        known = modules(PACKAGE)
        for package, floors in FLOORS.items():
            for name in " ".join(floors).split():
                self.assertIn(f"{package}.{name}", known)

    def test_every_package_is_installed(self) -> None:
        # setuptools installs what this list names, and leaves out the others in silence.
        project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())
        folders = {file.parent for file in PACKAGE.rglob("__init__.py")}
        names = {".".join(each.relative_to(PACKAGE.parent).parts) for each in folders}
        self.assertEqual(names | {"twisted.plugins"}, {*project["tool"]["setuptools"]["packages"]})


class FloorsTestTests(SynchronousTestCase):
    """The test of the test: it sees what it is there to see."""

    def breaches_of(self, module: str, text: str) -> list[str]:
        names = (
            "",
            "core",
            "core.update",
            "core.state",
            "hub",
            "hub.hub",
            "sources",
            "sources.sql",
        )
        return list(breaches({**dict.fromkeys(names, ""), module: text}))

    def test_good_modules(self) -> None:
        for module, text in (
            ("core.state", "import math\nfrom streamd.core import update"),
            ("hub.hub", "import time\nfrom streamd.core.state import State"),
            ("sources.http", "from ..core.update import Update"),
        ):
            self.assertEqual([], self.breaches_of(module, text))

    def test_import_from_a_package_above(self) -> None:
        [breach] = self.breaches_of("core.state", "from streamd.hub.hub import Hub")
        self.assertIn("streamd.core.state stands at", breach)

    def test_every_form_of_import(self) -> None:
        for text in (
            "import streamd.hub.hub",
            "from streamd.hub import hub",
            "from ..hub import hub",
            "from ..hub.hub import Hub",
            "def late():\n    from streamd.hub.hub import Hub",
            "if TYPE_CHECKING:\n    import streamd.hub.hub as h",
        ):
            self.assertEqual(1, len(self.breaches_of("core.state", text)), text)

    def test_import_from_a_floor_above_in_the_same_package(self) -> None:
        for text in ("from . import state", "from .state import State"):
            self.assertEqual(1, len(self.breaches_of("core.update", text)), text)

    def test_siblings(self) -> None:
        for text in (
            "from streamd.sources import sql",
            "from . import sql",
            "from .sql import Sql",
        ):
            self.assertEqual(1, len(self.breaches_of("sources.http", text)), text)

    def test_impure_import_in_a_pure_package(self) -> None:
        for name in sorted(IMPURE):
            self.assertEqual(1, len(self.breaches_of("core.update", f"import {name}")), name)
        late = "def now():\n    from twisted.internet import reactor"
        [breach] = self.breaches_of("core.state", late)
        self.assertIn("pure", breach)

    def test_unknown_module(self) -> None:
        [breach] = self.breaches_of("news", "")
        self.assertIn("streamd.news has no place: add it to FLOORS", breach)

    def test_init_that_imports(self) -> None:
        [breach] = self.breaches_of("sources", "from streamd.core.update import Update")
        self.assertIn("imports nothing", breach)


class SizeTests(SynchronousTestCase):
    """No module is longer than 350 lines, and no class than 250, unless its docstring says why."""

    def test_modules(self) -> None:
        for file in (*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.lua")):
            text = file.read_text("utf-8")
            if text.count("\n") > 350:
                self.assertIn(" is long because ", text.partition("import")[0], file.name)

    def test_classes(self) -> None:
        for file in PACKAGE.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef) and _lines(node) > 250:
                    why = " ".join((ast.get_docstring(node) or "").split())
                    self.assertIn(" is long because ", why, node.name)


def _lines(node: ast.ClassDef) -> int:
    return (node.end_lineno or 0) - node.lineno + 1
