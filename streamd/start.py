"""What every way to start needs: a configuration from the disk, ports, a clock, an end."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import serverFromString

from streamd.access import NO_TOKENS, Tokens
from streamd.config import Config, ConfigError, Secret, parse
from streamd.service import JOURNALS, default_port, find_kinds

DEFAULT_PORT = "5000"


def endpoint(port: str) -> str:
    """The endpoint string for what was given as ``--port``.

    :raises ConfigError: if it is a number that no port has.
    """
    if not port.isdecimal():
        return port
    if int(port) > 65535:
        raise ConfigError([f"port: expected 0 to 65535, not {port}"])
    return default_port(int(port))


def check_endpoint(reactor: Any, port: str) -> None:
    """:raises ConfigError: if Twisted knows no such endpoint, or it cannot be prepared."""
    try:
        serverFromString(reactor, port)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OSError) as error:
        problem = f"expected a number or an endpoint such as tcp:5000, not {port} ({error})"
    except ImportError:
        problem = f'{port} needs pyOpenSSL: pip install "streamd[tls]"'
    except Exception as error:  # pyOpenSSL's are nobody's children
        problem = f"the key or the certificate of {port} cannot be used: {error}"
    else:
        return
    raise ConfigError([f"port: {problem}"])


def load(file: str | None) -> tuple[Config, Tokens, Path]:
    """Read a configuration file.

    :returns: it, its tokens, and the folder of the file.
    :raises ConfigError: with all that is wrong with it.
    """
    if file is None:
        return Config(), NO_TOKENS, Path.cwd()
    path = Path(file).absolute()
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError([f"cannot read {file}: {reason}"]) from None
    config = parse(text, find_kinds(), JOURNALS)
    problems: list[str] = []

    def revealed(key: str, secrets: Iterable[Secret]) -> Iterator[str]:
        for number, secret in enumerate(secrets):
            try:
                yield reveal(secret, path.parent)
            except ValueError as error:
                problems.append(f"access.{key}[{number}]: {error}")

    publish, admin = config.access.publish, config.access.admin
    tokens = Tokens(
        tuple(revealed("publish", publish if not isinstance(publish, str) else ())),
        tuple(revealed("admin", admin)),
    )
    if problems:
        raise ConfigError(problems)
    return config, tokens, path.parent


def reveal(secret: Secret, base: Path) -> str:
    """The text of a secret; files are relative to ``base``."""
    return secret.reveal(os.environ, lambda name: (base / name).read_text("utf-8"))


def end_cleanly(reactor: Any) -> None:
    """SIGTERM is how a service is asked to stop: having stopped is a success, status 0.

    Twisted would stop as well, and then send itself the signal again to die of it.  Who asks twice
    is heard once: a reactor that is stopping cannot be stopped.
    """

    def stop(number: int, frame: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        reactor.callFromThread(reactor.stop)

    # Before the reactor runs, nothing has begun that would have to end.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    # The reactor puts its own handlers in place when it starts.
    reactor.callWhenRunning(signal.signal, signal.SIGTERM, stop)


def use_monotonic_time(reactor: Any) -> None:
    """Let delays follow a clock that nobody sets.

    Twisted's timers read the wall clock: set back an hour, they stand still for an hour.  This has to
    happen before the first delayed call.
    """
    reactor.seconds = time.monotonic
