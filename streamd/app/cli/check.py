"""``streamd check``: run every source of a configuration once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from streamd.app.cli.arguments import Commands, command
from streamd.app.cli.output import answer, warn
from streamd.app.cli.run_source import Outcome, listen_to_log, run_reactor, run_source
from streamd.app.load import load
from streamd.config.kind import Surroundings
from streamd.config.parse import formulas_of
from streamd.core.formula import Formula, in_order
from streamd.core.update import Draft

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

    formulas = formulas_of(config)

    async def main(reactor: Any) -> None:
        here = Surroundings(reactor, base, secrets=config.secrets)

        def run(name: str, known: Sequence[Draft] = ()) -> Deferred[Outcome]:
            table = config.sources[name]
            running = run_source(here, name, table, config.streams, reasons, known)
            return Deferred.fromCoroutine(running)

        others = [name for name in config.sources if name not in formulas]
        outcomes: list[Outcome] = await gatherResults(map(run, others))
        for name in in_order(formulas):
            outcomes.append(await run(name, _drafts(outcomes)))
        problems = _report(outcomes, config.streams.keys(), formulas)
        os._exit(bool(problems))  # Python would wait for threads that still run

    run_reactor(main)


def _drafts(outcomes: Sequence[Outcome]) -> Sequence[Draft]:
    """Return the values that sources reported, for the formulas that need them."""
    said = [stream for outcome in outcomes for stream in outcome.said]
    return [Draft(name, value.encode()) for name, value, _ in said]


def _report(
    outcomes: Sequence[Outcome], described: AbstractSet[str], formulas: Mapping[str, Formula]
) -> Sequence[str]:
    """Print the values of all sources, and what formulas depend on; return the problems."""
    said = [stream for outcome in outcomes for stream in outcome.said]
    width = max((len(name) for name, _, _ in said), default=0)
    for name, value, level in said:
        inputs = f"  of {', '.join(formulas[name].reads)}" if name in formulas else ""
        answer(f"{name:{width}}  {_shorten(value):{SHOWN}}  {level}{inputs}")
    for outcome in outcomes:
        if not outcome.said and not outcome.problems:
            answer(f"{outcome.name}: {outcome.waits or 'connected, nothing yet'}")
    for name in sorted(described - {name for name, _, _ in said}):
        answer(f"{name}: no source said it; it may be published")
    problems = [problem for outcome in outcomes for problem in outcome.problems]
    for problem in problems:
        warn(problem)
    return problems


def _shorten(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
