"""``twistd streamd``: parses its command line, and makes the service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NoReturn

from twisted.application.service import IService
from twisted.logger import Logger
from twisted.python import usage

from streamd import __version__
from streamd.app.cli.output import answer
from streamd.app.defaults import journal_place, with_demo
from streamd.app.load import Loaded, load, making_problems, read_config
from streamd.app.notify import Notifier, take_notifier
from streamd.app.ports import DEFAULT_PORT, check_endpoint, endpoint, inherited_ports
from streamd.app.process import (
    call_on_hangup,
    end_cleanly,
    free_large_buffers,
    keep_collections_short,
    leave_threads,
    tell_where_it_hangs,
    use_monotonic_time,
)
from streamd.app.reload import Reload
from streamd.app.service import Streamd
from streamd.config.fields import ConfigError, Problems
from streamd.config.kind import Surroundings
from streamd.config.lines import with_line
from streamd.core.printable import showable

_log = Logger()


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
        [default: the sockets that systemd passes, else 5000]."""
        self["ports"].append(port)

    opt_p = opt_port

    def opt_version(self) -> NoReturn:
        """Display the version of streamd and exit."""
        answer(f"streamd {__version__}")
        raise SystemExit(0)

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
    free_large_buffers()
    keep_collections_short()
    leave_threads(reactor)
    notifier = take_notifier()
    if notifier.watchdog is not None:
        tell_where_it_hangs()
    problems = Problems()
    with problems.collect():
        ports = [endpoint(port) for port in options["ports"] or inherited_ports() or [DEFAULT_PORT]]
        for port in ports:
            check_endpoint(reactor, port)
    file = None if options["config"] is None else Path(options["config"]).absolute()

    def read(again: bool = True) -> Loaded:
        # The daemon enters the folder of the file, and errors at the start name it as it was given.
        name = str(file) if again and file is not None else options["config"]
        loaded = load(name, reactor, again)
        return loaded._replace(config=with_demo(loaded.config)) if options["demo"] else loaded

    with problems.collect():
        loaded = read(again=False)
        config, tokens, base = loaded
        if not problems:
            # twistd's log begins later, and then gets these lines, too.
            _log.info("the configuration is {file}", file="none" if file is None else str(file))
            _log.info("the journal is {place}", place=journal_place(config))
            try:
                daemon = Streamd(reactor, config, tokens, ports, base, notifier=notifier)
            except ConfigError as error:
                problems += making_problems(config, Surroundings(reactor, base)) or error.problems
            else:
                reload = Reload(daemon, config, read, file, watches=_is_watched(options, notifier))
                reload.setServiceParent(daemon)
                call_on_hangup(reactor, reload.reload)
                return daemon
    told = _located(options["config"], problems)
    notifier.tell_status("; ".join(told))
    raise SystemExit("\n".join(showable(f"streamd: {problem}") for problem in told))


def _located(file: str | None, problems: list[str]) -> list[str]:
    """Return the problems with their lines in the configuration file, if there are any."""
    try:
        text = "" if file is None else read_config(file)
    except ConfigError:  # one of the problems says so
        text = ""
    return [with_line(Path(file or "").name, text, problem) for problem in problems]


def _is_watched(options: Options, notifier: Notifier) -> bool:
    """Return whether a saved configuration takes effect: in the foreground, and without systemd.

    Under systemd ``systemctl reload`` is the way, because it checks the file first.
    """
    foreground = options.parent is not None and options.parent.get("nodaemon")
    return bool(foreground) and not notifier
