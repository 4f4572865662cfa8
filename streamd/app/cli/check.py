"""``streamd check``: run every source of a configuration once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from streamd.app.cli.arguments import Commands, command
from streamd.app.cli.output import answer, warn
from streamd.app.cli.run_source import Outcome, listen_to_log, run_reactor, run_source
from streamd.app.load import load
from streamd.config.kind import Surroundings

SHOWN = 40
"""The most characters of a value that are printed, so that a line fits a terminal."""


def add_parser(commands: Commands) -> None:
    parser = command(
        commands, "check", check, "Run every source of a configuration once, and print its values"
    )
    parser.add_argument("config", nargs="?", default="streamd.toml", help="[default: streamd.toml]")


def check(arguments: Any) -> None:
    from twisted.internet import reactor

    config, _, base = load(arguments.config, reactor)
    os.chdir(base)  # as the daemon does
    reasons = listen_to_log()

    async def main(reactor: Any) -> None:
        here = Surroundings(reactor, base, secrets=config.secrets)
        outcomes: Sequence[Outcome] = await gatherResults(
            Deferred.fromCoroutine(run_source(here, name, table, config.streams, reasons))
            for name, table in config.sources.items()
        )
        problems = _report(outcomes, config.streams.keys())
        os._exit(bool(problems))  # Python would wait for threads that still run

    run_reactor(main)


def _report(outcomes: Sequence[Outcome], described: AbstractSet[str]) -> Sequence[str]:
    """Print the values of all sources; return the problems."""
    said = [stream for outcome in outcomes for stream in outcome.said]
    width = max((len(name) for name, _, _ in said), default=0)
    for name, value, level in said:
        answer(f"{name:{width}}  {_shorten(value):{SHOWN}}  {level}")
    for outcome in outcomes:
        if not outcome.said and not outcome.problems:
            answer(f"{outcome.name}: connected, nothing yet")
    for name in sorted(described - {name for name, _, _ in said}):
        answer(f"{name}: no source said it; it may be published")
    problems = [problem for outcome in outcomes for problem in outcome.problems]
    for problem in problems:
        warn(problem)
    return problems


def _shorten(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
