"""``twistd streamd``: its options, and the service they ask for."""

from __future__ import annotations

from typing import ClassVar

from twisted.application.service import IService
from twisted.python import usage

from streamd.app.kinds import with_demo
from streamd.app.ports import DEFAULT_PORT, check_endpoint, endpoint
from streamd.app.service import Streamd
from streamd.app.start import end_cleanly, load, use_monotonic_time
from streamd.config.fields import ConfigError


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


def makeService(options: Options) -> IService:
    """The service that ``options`` ask for.

    :raises SystemExit: with a line for each thing that is wrong.
    """
    from twisted.internet import reactor

    use_monotonic_time(reactor)
    end_cleanly(reactor)
    try:
        ports = [endpoint(port) for port in options["ports"] or [DEFAULT_PORT]]
        for port in ports:
            check_endpoint(reactor, port)
        config, tokens, base = load(options["config"])
        if options["demo"]:
            config = with_demo(config)
        return Streamd(reactor, config, tokens, ports, base)
    except ConfigError as error:
        raise SystemExit("\n".join(f"streamd: {problem}" for problem in error.problems)) from None
