"""``streamd check``: read a configuration, and run every source of it once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from streamd.app.cli.arguments import Commands, command
from streamd.app.cli.backfill_sample import Tried, try_backfill
from streamd.app.cli.output import answer, warn
from streamd.app.cli.run_source import Outcome, listen_to_log, run_reactor, run_source
from streamd.app.load import load, making_problems, read_config, unrun_problems
from streamd.config.fields import FOR_SERVICE, ConfigError
from streamd.config.kind import Surroundings
from streamd.config.lines import with_line
from streamd.config.parse import formulas_of
from streamd.core.formulas.formula import Formula, in_order
from streamd.core.update import Draft
from streamd.sources.settings import has_backfill

SHOWN = 40
"""The most characters of a value that are printed, so that a line fits a terminal."""


def add_parser(commands: Commands) -> None:
    parser = command(
        commands, "check", check, "Run every source of a configuration once, and print its values"
    )
    parser.add_argument("config", nargs="?", default="streamd.toml", help="[default: streamd.toml]")
    parser.add_argument(
        "--offline",
        action="store_true",
        help="only read the configuration: run and contact nothing",
    )


def check(arguments: Any) -> None:
    from twisted.internet import reactor

    file = arguments.config
    located = partial(with_line, os.path.basename(file), read_config(file))
    try:
        if arguments.offline:
            _check_offline(file, reactor)
        else:
            _check(file, located, reactor)
    except ConfigError as error:
        raise ConfigError(map(located, error.problems)) from None


def _check(file: str, located: Callable[[str], str], reactor: Any) -> None:
    """Read a configuration, and run every source of it once; then end the process.

    :param located: adds the line in the file to a problem.
    :raises ConfigError: lists the mistakes of a configuration that cannot be run.
    """
    config, _, base = load(file, reactor)
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
        problems = [*unrun_problems(config, here)]
        problems += _report(outcomes, config.streams.keys(), formulas)
        for name in config.hooks:
            answer(f"hooks.{name}: waits for POST /hooks/{name}")
        for name, table in config.sources.items():
            if has_backfill(table.settings):
                source = table.kind.make(name, table.settings, here)
                problems += _tell(await try_backfill(name, source.backfill, config.streams))
        for problem in problems:
            warn(located(problem))
        os._exit(bool(problems))  # Python would wait for threads that still run

    run_reactor(main)


def _check_offline(file: str, reactor: Any) -> None:
    """Report the mistakes of a configuration, without any connection or run.

    A file without tables is a mistake, as it is for a daemon that reads its file again.

    systemd shows the credentials to the daemon alone, not to the commands of ``ExecReload=``.  The
    daemon checks them itself when it reads the file.

    :raises ConfigError: lists the mistakes.
    """
    try:
        loaded = load(file, reactor, again=True)
        making_problems(loaded.config, Surroundings(reactor, loaded.base)).check()
    except ConfigError as error:
        if mistakes := [line for line in error.problems if not line.endswith(FOR_SERVICE)]:
            raise ConfigError(mistakes) from None
    answer(f"{file}: no mistakes")


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
    known = {name for name, _, _ in said} | {outcome.name for outcome in outcomes}
    for name in sorted(described - known):
        answer(f"{name}: no source said it; it may be published")
    return [problem for outcome in outcomes for problem in outcome.problems]


def _tell(tried: Tried) -> Sequence[str]:
    """Print what a backfill would do; return the problems."""
    for line in tried.lines:
        answer(line)
    return tried.problems


def _shorten(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
