"""``twistd streamd``: parses its command line, and makes the service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from twisted.application.service import IService
from twisted.python import usage

from streamd.app.defaults import with_demo
from streamd.app.load import load, making_problems
from streamd.app.ports import DEFAULT_PORT, check_endpoint, endpoint
from streamd.app.process import end_cleanly, leave_threads, use_monotonic_time
from streamd.app.service import Streamd
from streamd.config.fields import ConfigError, Problems
from streamd.config.kind import Surroundings
from streamd.core.printable import told


class Options(usage.Options):
    """The command line."""

    synopsis = "[--port PORT] [--config FILE] [--demo]"
    longdesc = "Shows the current state of your data streams on every screen."
    optParameters: ClassVar = [["config", "c", None, "The configuration, streamd.toml."]]
    optFlags: ClassVar = [["demo", None, "Show a wall's worth of lively synthetic streams."]]

    def __init__(self) -> None:
        super().__init__()
        self["ports"] = []

    def opt_port(self, port: str) -> None:
        """A number, or a Twisted endpoint string such as tcp:5000:interface=127.0.0.1; repeatable
        [default: 5000]."""
        self["ports"].append(port)

    opt_p = opt_port

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Read the command line.

        :raises SystemExit: with a line for the mistake.  Twisted 26.4 would exit with status 0.
        """
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            raise SystemExit(f"streamd: {error}; --help lists the options") from None


def makeService(options: Options) -> IService:
    """Make the service for a command line.

    :raises SystemExit: after a line for each problem.
    """
    from twisted.internet import reactor

    use_monotonic_time(reactor)
    end_cleanly(reactor)
    leave_threads(reactor)
    problems = Problems()
    with problems.collect():
        ports = [endpoint(port) for port in options["ports"] or [DEFAULT_PORT]]
        for port in ports:
            check_endpoint(reactor, port)
    with problems.collect():
        config, tokens, base = load(options["config"], reactor)
        if options["demo"]:
            config = with_demo(config)
        if not problems:
            try:
                return Streamd(reactor, config, tokens, ports, base)
            except ConfigError as error:
                problems += making_problems(config, Surroundings(reactor, base)) or error.problems
    raise SystemExit("\n".join(told(f"streamd: {problem}") for problem in problems))
