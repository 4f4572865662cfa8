"""``streamd``: the daemon from a shell."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react
from twisted.logger import globalLogBeginner

from streamd import __version__
from streamd.app.check import Outcome, Reasons, run_once
from streamd.app.client import Daemon, DaemonUnreachable, Declined
from streamd.app.ports import DEFAULT_PORT, check_endpoint, endpoint
from streamd.app.service import Streamd
from streamd.app.sketch import database_url, sketch, source_name, table
from streamd.app.start import load, use_monotonic_time
from streamd.config.fields import ConfigError
from streamd.config.parse import parse
from streamd.sources.registry import find_kinds

URL = "http://localhost:5000"

EXAMPLES = """
  streamd try shop.db "SELECT count(*) AS orders, sum(amount) AS revenue FROM orders"
  streamd check streamd.toml
  streamd publish orders 42
  streamd tail 'shop.*'

The daemon itself: twistd -n streamd --port 5000 --config streamd.toml
"""

SHAPES = """
One row becomes a tile a column. Several rows become a tile a row and column if the first column is a
text that tells them apart, and otherwise one list. The configuration that does the same is printed on
standard output, all else on standard error: add "> streamd.toml" to keep it.
"""


def main() -> None:
    """The console script; never returns.

    :raises SystemExit: 0; 1 after a line for each thing that is wrong; 2 for a wrong command line.
    """
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except ConfigError as error:
        _fail(error.problems)
    except (Declined, DaemonUnreachable) as error:
        _fail([str(error)])
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    raise SystemExit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "streamd",
        description="Shows the current state of your data streams on every screen.",
        epilog="examples:" + EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"streamd {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[Any], None], help: str, more: str = "") -> Any:
        made = commands.add_parser(name, help=help, description=f"{help}. {more}")
        made.set_defaults(run=run)
        return made

    one = command("try", _try, "Put a query on a wall, without a file", SHAPES)
    one.add_argument("database", help="a SQLite file, sqlite:///…, postgresql://… or mysql://…")
    one.add_argument("query", help="a SELECT")
    one.add_argument("--every", default="2s", help="how often it runs [default: 2s]")
    one.add_argument("--port", default=DEFAULT_PORT, help="or an endpoint string [default: 5000]")

    one = command(
        "check", _check, "Run every source of a configuration once, and say what it gives"
    )
    one.add_argument("config", nargs="?", default="streamd.toml", help="[default: streamd.toml]")

    one = command("publish", _publish, "Publish one value")
    one.add_argument("stream", help="its name")
    one.add_argument("value", help="JSON or text; - to read it from standard input")
    _add_daemon(one)

    one = command("tail", _tail, "Print what streams say now, and every update from now on")
    one.add_argument("streams", nargs="*", help="names and globs, such as 'shop.*' [default: all]")
    one.add_argument("--history", type=int, default=1, metavar="N", help="begin with the last N")
    one.add_argument("--json", action="store_true", help="each update as a JSON object")
    _add_daemon(one)
    return parser


def _add_daemon(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--url",
        default=os.environ.get("STREAMD_URL", URL),
        help=f"the daemon [default: $STREAMD_URL, or {URL}]; it is shown the token $STREAMD_TOKEN",
    )


def _fail(problems: Sequence[str]) -> NoReturn:
    for problem in problems:
        _say(f"streamd: {problem}")
    raise SystemExit(1)


def _say(text: str) -> None:
    """To whoever watches; standard output is for what was asked for."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201


# -- publish and tail ------------------------------------------------------------------------------


def _daemon(arguments: Any) -> Daemon:
    return Daemon(arguments.url, os.environ.get("STREAMD_TOKEN", "").strip())


def _publish(arguments: Any) -> None:
    value = os.fsencode(arguments.value)
    if value == b"-":
        value = sys.stdin.buffer.read().removesuffix(b"\n")
    _daemon(arguments).publish(arguments.stream, value)


def _tail(arguments: Any) -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # "| head" ends it
    updates = _daemon(arguments).follow(
        arguments.streams, arguments.history, lambda text: _say(f"streamd: {text}")
    )
    with suppress(KeyboardInterrupt):
        for update in updates:
            if arguments.json:
                _print(json.dumps(update, ensure_ascii=False))
            else:
                value = json.dumps(update["value"], ensure_ascii=False)
                _print(f"{_moment(update['time'])} {update['stream']} {value}")


def _moment(time: float) -> str:
    """A time as ISO 8601; one that no calendar has, as it is."""
    try:
        return datetime.fromtimestamp(time).astimezone().isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return str(time)


# -- check and try: these run sources --------------------------------------------------------------


def _run(main: Callable[[Any], Coroutine[Deferred[Any], Any, None]]) -> None:
    """Run the reactor until ``main`` is through."""
    from twisted.internet import reactor

    use_monotonic_time(reactor)
    react(main)


def _check(arguments: Any) -> None:
    config, _, base = load(arguments.config)
    reasons = _listen()

    async def main(reactor: Any) -> None:
        outcomes: Sequence[Outcome] = await gatherResults(
            Deferred.fromCoroutine(run_once(reactor, base, name, source, config.streams, reasons))
            for name, source in config.sources.items()
        )
        said = [stream for outcome in outcomes for stream in outcome.said]
        width = max((len(name) for name, _, _ in said), default=0)
        for name, value, level in said:
            _print(f"{name:{width}}  {_short(value):40}  {level}")
        for outcome in outcomes:
            if not outcome.said and not outcome.problems:
                _print(f"{outcome.name}: connected, nothing yet")
        for name in sorted(config.streams.keys() - {name for name, _, _ in said}):
            _print(f"{name}: no source said it; it may be published")
        problems = [problem for outcome in outcomes for problem in outcome.problems]
        for problem in problems:
            _say(f"streamd: {problem}")
        if not all(outcome.stopped for outcome in outcomes):
            os._exit(bool(problems))  # a thread that does not end would keep the process
        raise SystemExit(bool(problems))

    _run(main)


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def _listen() -> Reasons:
    """Take the log."""
    reasons = Reasons(lambda text: _say(f"streamd: {text}"))
    globalLogBeginner.beginLoggingTo([reasons], redirectStandardIO=False)  # type: ignore[list-item]
    return reasons


def _try(arguments: Any) -> None:
    url = database_url(arguments.database)
    name = source_name(url)
    keys = {"database": url, "query": arguments.query, "every": arguments.every}
    ask = parse(table(name, **keys, table=True), find_kinds()).sources[name]
    reasons = _listen()

    async def main(reactor: Any) -> None:
        try:
            port = endpoint(arguments.port)
            check_endpoint(reactor, port)
            outcome = await run_once(reactor, Path.cwd(), name, ask, {}, reasons)
            if outcome.problems:
                raise ConfigError(outcome.problems)
            [(_, rows, _)] = outcome.said
            text = sketch(name, json.loads(rows), **keys)
            service = Streamd(reactor, parse(text, find_kinds()), ports=[port], base=Path.cwd())
        except ConfigError as error:
            _fail(error.problems)
        except ValueError as error:
            _fail([f"sources.{name}.query: {error}"])
        service.privilegedStartService()
        service.startService()
        reasons.aloud = True
        _print(text)
        number = getattr(service.listening[0].getHost(), "port", None)
        where = f"http://localhost:{number}/" if number else arguments.port
        _say(
            f"{where}\nCtrl-C ends it. To keep it, save the above as streamd.toml, and run\n"
            "twistd -n streamd --config streamd.toml"
        )
        ended: Deferred[None] = Deferred()
        reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
        reactor.addSystemEventTrigger("during", "shutdown", ended.callback, None)
        await ended

    _run(main)
