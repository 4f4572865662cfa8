"""``streamd try``: show the result of a query on a wall, without a configuration file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from streamd.app.cli.arguments import Commands, command
from streamd.app.cli.output import answer, fail, note
from streamd.app.cli.run_source import Reasons, listen_to_log, run_reactor, run_source
from streamd.app.cli.suggestion import database_url, source_name, source_table, suggest
from streamd.app.ports import DEFAULT_PORT, address_of, check_endpoint, endpoint
from streamd.app.service import Streamd
from streamd.config.fields import ConfigError
from streamd.config.kind import Surroundings
from streamd.config.parse import parse
from streamd.sources.registry import find_kinds

SHAPES = """
One row becomes a tile a column. Several rows become a chart a column if the first column has their
times, a tile a row and column if it is a text that tells them apart, and otherwise one list. The
configuration that does the same is printed on standard output, all else on standard error: add
"> streamd.toml" to keep it.
"""


def add_parser(commands: Commands) -> None:
    parser = command(commands, "try", try_query, "Put a query on a wall, without a file", SHAPES)
    parser.add_argument("database", help="a SQLite file, sqlite:///…, postgresql://… or mysql://…")
    parser.add_argument("query", help="a SELECT")
    parser.add_argument("--every", default="2s", help="how often it runs [default: 2s]")
    parser.add_argument(
        "--port", default=DEFAULT_PORT, help="or an endpoint string [default: 5000]"
    )


def try_query(arguments: Any) -> None:
    url = database_url(arguments.database)
    name = source_name(url)
    keys = {"database": url, "query": arguments.query, "every": arguments.every}
    table = parse(source_table(name, **keys, table=True), find_kinds()).sources[name]
    reasons = listen_to_log()

    async def main(reactor: Any) -> None:
        try:
            port = endpoint(arguments.port)
            check_endpoint(reactor, port)
            outcome = await run_source(Surroundings(reactor, Path.cwd()), name, table, {}, reasons)
            if outcome.problems:
                raise ConfigError(outcome.problems)
            [(_, rows, _)] = outcome.said
            text = suggest(name, json.loads(rows), **keys)
            service = Streamd(reactor, parse(text, find_kinds()), ports=[port], base=Path.cwd())
        except ConfigError as error:
            fail(error.problems)
        except ValueError as error:
            fail([f"sources.{name}.query: {error}"])
        await _serve(reactor, service, arguments.port, text, reasons)

    run_reactor(main)


async def _serve(reactor: Any, service: Streamd, port: str, text: str, reasons: Reasons) -> None:
    """Print the configuration and the address of the wall, and serve until Ctrl-C."""
    service.privilegedStartService()
    service.startService()
    reasons.aloud = True
    for line in text.split("\n"):
        answer(line)
    note(address_of(service.listening[0], port))
    note("Ctrl-C ends it. To keep it, save the above as streamd.toml, and run")
    note("streamd serve --config streamd.toml")
    ended: Deferred[None] = Deferred()
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    reactor.addSystemEventTrigger("during", "shutdown", ended.callback, None)
    await ended
