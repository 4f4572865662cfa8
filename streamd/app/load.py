"""A configuration file, read from the disk with its secrets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from streamd.app.defaults import make_journal
from streamd.config.fields import ConfigError, Problems, Secret
from streamd.config.kind import Surroundings
from streamd.config.parse import read
from streamd.config.tables import Config
from streamd.http.access import NO_TOKENS, Tokens
from streamd.journals.registry import JOURNAL_KINDS
from streamd.sources.registry import find_kinds


class Loaded(NamedTuple):
    """A configuration file that has no mistakes.

    :ivar base: the file's folder, from which relative paths start.
    """

    config: Config
    tokens: Tokens
    base: Path


def load(file: str | None, reactor: Any) -> Loaded:
    """Read a configuration file; without one, the configuration is empty.

    :param reactor: for the sources and the journal, which are made if the file has other problems.
    :raises ConfigError: with everything that is wrong with the file.
    """
    if file is None:
        return Loaded(Config(), NO_TOKENS, Path.cwd())
    path = Path(file).absolute()
    try:
        # Notepad and PowerShell begin a file with a byte order mark.
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError([f"cannot read {file}: {reason}"]) from None
    config, problems = read(text, find_kinds(), JOURNAL_KINDS)
    surroundings = Surroundings(reactor, path.parent)
    tokens = _reveal_tokens(config, surroundings, problems)
    if problems:
        problems += making_problems(config, surroundings)
    problems.check()
    return Loaded(config, tokens, path.parent)


def making_problems(config: Config, surroundings: Surroundings) -> Problems:
    """Every reason why the journal or a source of a configuration cannot be made.

    The daemon makes them one by one, and stops at the first problem.  Making has no effect outside.
    """
    problems = Problems()
    with problems.collect():
        make_journal(config, surroundings)
    for name, source in config.sources.items():
        with problems.collect():
            source.kind.make(name, source.settings, surroundings)
    return problems


def _reveal_tokens(config: Config, surroundings: Surroundings, problems: Problems) -> Tokens:
    def revealed(key: str, secrets: Iterable[Secret]) -> Iterator[str]:
        for number, secret in enumerate(secrets):
            with problems.collect():
                yield surroundings.reveal(f"access.{key}[{number}]", secret)

    publish, admin = config.access.publish, config.access.admin
    return Tokens(
        tuple(revealed("publish", () if isinstance(publish, str) else publish)),
        tuple(revealed("admin", admin)),
    )
