"""What every way to start needs: a configuration from the disk, ports, a clock, an end."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from streamd.app.kinds import JOURNALS
from streamd.config.fields import ConfigError, Secret
from streamd.config.kind import Surroundings
from streamd.config.parse import parse
from streamd.config.tables import Config
from streamd.http.access import NO_TOKENS, Tokens
from streamd.sources.registry import find_kinds


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
    place = Surroundings(None, path.parent)
    problems: list[str] = []

    def revealed(key: str, secrets: Iterable[Secret]) -> Iterator[str]:
        for number, secret in enumerate(secrets):
            try:
                yield place.reveal(f"access.{key}[{number}]", secret)
            except ConfigError as error:
                problems.extend(error.problems)

    publish, admin = config.access.publish, config.access.admin
    tokens = Tokens(
        tuple(revealed("publish", publish if not isinstance(publish, str) else ())),
        tuple(revealed("admin", admin)),
    )
    if problems:
        raise ConfigError(problems)
    return config, tokens, path.parent


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
