"""Reads a configuration file and its secrets from the disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from streamd.app.defaults import alert_tables, make_journal, source_tables
from streamd.app.ports import METRICS_PORT, check_endpoint, endpoint
from streamd.config.access import TokenEntry
from streamd.config.fields import ConfigError, Problems
from streamd.config.kind import Surroundings
from streamd.config.own_pages import read_pages
from streamd.config.parse import read
from streamd.config.picture_file import look_at
from streamd.config.tables import Config
from streamd.core.picture import SVG, Picture
from streamd.http.access.tokens import NO_TOKENS, Token, Tokens
from streamd.http.reading.own_pages import Shown
from streamd.journals.registry import JOURNAL_KINDS
from streamd.sources.registry import find_kinds
from streamd.sources.source import SourcePlan, plan_source

MIN_TOKEN = 16
"""The least characters of a token: 16 hexadecimal digits are guessed once in 100 million years, at 3000
guesses a second."""

_TOO_SHORT = (
    f"expected a token of at least {MIN_TOKEN} characters, such as `openssl rand -hex 16` prints"
)


class Loaded(NamedTuple):
    """The content of a configuration file without mistakes.

    :ivar config: the configuration.
    :ivar tokens: the tokens of ``[access]`` and the secrets of hooks, in plain text.
    :ivar base: the folder of the file, from which relative paths start.
    """

    config: Config
    tokens: Tokens
    base: Path


def load(file: str | None, reactor: Any, again: bool = False) -> Loaded:
    """Read a configuration file; without one, the configuration is empty.

    :param reactor: for the sources and the journal, which are made only to find further mistakes.
    :param again: whether the daemon runs already.  Then a file without tables is a mistake: a program
        that writes a file empties it first.
    :raises ConfigError: lists all mistakes in the file.
    """
    if file is None:
        return Loaded(Config(), NO_TOKENS, Path.cwd())
    path = Path(file).absolute()
    text = read_config(file)
    config, problems = read(text, find_kinds(), JOURNAL_KINDS)
    if again and not problems and config == Config(file=True):
        problems.append("the file is empty")
    surroundings = Surroundings(reactor, path.parent)
    tokens = reveal_tokens(config, surroundings, problems)
    with problems.collect():
        read_marks(config, path.parent)
    with problems.collect():
        read_own_pages(config, path.parent)
    if config.server.metrics_port is not None:
        with problems.collect():
            port = endpoint(str(config.server.metrics_port), METRICS_PORT)
            check_endpoint(reactor, port, METRICS_PORT)
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
    except OSError as error:
        raise ConfigError([f"cannot read {file}: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"cannot read {file}: line {line} is not UTF-8"]) from None


def making_problems(config: Config, surroundings: Surroundings) -> Problems:
    """Return every reason why the journal, a source or an alert of a configuration cannot be made.

    The daemon would stop at the first such problem.  Making a journal or a source has no side
    effects.
    """
    problems = unrun_problems(config, surroundings)
    for name, source in config.sources.items():
        with problems.collect():
            source.kind.make(name, source.settings, surroundings)
    return problems


def unrun_problems(config: Config, surroundings: Surroundings) -> Problems:
    """Return every reason why the journal or an alert, which no check runs, cannot be made."""
    problems = Problems()
    with problems.collect():
        make_journal(config, surroundings)
    for name, table in alert_tables(config):
        with problems.collect():
            table.kind.make(name, table.settings, surroundings)
    return problems


def plan_sources(config: Config, surroundings: Surroundings) -> dict[str, SourcePlan]:
    """Return the plans of all sources, by their names.

    :raises ConfigError: lists every reason why a source cannot be made.
    """
    plans = {}
    problems = Problems()
    for name, table in source_tables(config).items():
        with problems.collect():
            plans[name] = plan_source(name, table, surroundings, config.streams)
    problems.check()
    return plans


def read_marks(config: Config, base: Path) -> dict[str, Picture]:
    """Return the company's marks in the headers of walls: name of the SVG file -> picture.

    :raises ConfigError: lists each file that is no SVG.
    """
    marks: dict[str, Picture] = {}
    problems = Problems()
    for number, wall in enumerate(config.walls):
        if wall.mark is None:
            continue
        try:
            marks[wall.mark] = mark = look_at(base, wall.mark).picture
        except ValueError as error:
            problems.append(f"walls[{number}].mark: {error}")
        else:
            if mark.kind != SVG:
                problems.append(f"walls[{number}].mark: expected an SVG file, not {mark.kind}")
    problems.check()
    return marks


def read_own_pages(config: Config, base: Path) -> Shown | None:
    """Return the folder of the user's own pages with its files; None if it is not configured.

    :raises ConfigError: if it cannot be read.
    """
    pages = config.server.pages
    if pages is None:
        return None
    folder = base / pages.folder
    try:
        return Shown(folder, pages.csp, read_pages(folder))
    except ValueError as error:
        raise ConfigError([f"server.pages: {error}"]) from None


def reveal_tokens(config: Config, surroundings: Surroundings, problems: Problems) -> Tokens:
    """Return the tokens of ``[access]`` and the secrets of hooks, in plain text.

    :param problems: gets a line for each token that is missing, too short, or configured twice.
    """

    def revealed(key: str, entries: Iterable[TokenEntry]) -> Iterator[Token]:
        known: dict[str, int] = {}
        for number, entry in enumerate(entries):
            path = f"access.{key}[{number}]"
            with problems.collect():
                text = surroundings.reveal(path, entry.secret)
                if len(text) < MIN_TOKEN:
                    problems.append(f"{path}: {_TOO_SHORT}")
                elif known.setdefault(text, number) != number:
                    problems.append(f"{path}: has the same token as access.{key}[{known[text]}]")
                yield Token(text, entry.name, entry.streams)

    access = config.access
    return Tokens(
        tuple(revealed("publish", () if isinstance(access.publish, str) else access.publish)),
        tuple(revealed("admin", access.admin)),
        None if access.view is None else tuple(revealed("view", access.view)),
        tuple(revealed("metrics", access.metrics)),
        dict(_hook_secrets(config, surroundings, problems)),
    )


def _hook_secrets(
    config: Config, surroundings: Surroundings, problems: Problems
) -> Iterator[tuple[str, str]]:
    for name, table in config.hooks.items():
        path = f"hooks.{name}.secret"
        with problems.collect():
            text = surroundings.reveal(path, table.secret)
            if len(text) < MIN_TOKEN:
                problems.append(f"{path}: {_TOO_SHORT.replace('token', 'secret')}")
            yield name, text
