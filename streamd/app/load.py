"""Reads a configuration file and its secrets from the disk."""

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

MIN_TOKEN = 16
"""The least characters of a token: 16 hexadecimal digits are guessed once in 100 million years, at 3000
guesses a second."""

_TOO_SHORT = (
    f"expected a token of at least {MIN_TOKEN} characters, such as `openssl rand -hex 16` prints"
)


class Loaded(NamedTuple):
    """The content of a configuration file without mistakes.

    :ivar config: the configuration.
    :ivar tokens: the tokens of ``[access]`` in plain text.
    :ivar base: the folder of the file, from which relative paths start.
    """

    config: Config
    tokens: Tokens
    base: Path


def load(file: str | None, reactor: Any) -> Loaded:
    """Read a configuration file; without one, the configuration is empty.

    :param reactor: for the sources and the journal, which are made only to find further mistakes.
    :raises ConfigError: lists all mistakes in the file.
    """
    if file is None:
        return Loaded(Config(), NO_TOKENS, Path.cwd())
    path = Path(file).absolute()
    config, problems = read(read_config(file), find_kinds(), JOURNAL_KINDS)
    surroundings = Surroundings(reactor, path.parent)
    tokens = _reveal_tokens(config, surroundings, problems)
    if problems:
        problems += making_problems(config, surroundings)
    problems.check()
    return Loaded(config, tokens, path.parent)


def read_config(file: str) -> str:
    """Return the text of a configuration file.

    :raises ConfigError: if it cannot be read.
    """
    try:
        # Notepad and PowerShell begin a file with a byte order mark.
        return Path(file).read_text("utf-8-sig")
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError([f"cannot read {file}: {reason}"]) from None


def making_problems(config: Config, surroundings: Surroundings) -> Problems:
    """Return every reason why the journal or a source of a configuration cannot be made.

    The daemon would stop at the first such problem.  To make a journal or a source has no side effects.
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
            path = f"access.{key}[{number}]"
            with problems.collect():
                token = surroundings.reveal(path, secret)
                if len(token) < MIN_TOKEN:
                    problems.append(f"{path}: {_TOO_SHORT}")
                yield token

    publish, admin = config.access.publish, config.access.admin
    return Tokens(
        tuple(revealed("publish", () if isinstance(publish, str) else publish)),
        tuple(revealed("admin", admin)),
    )
