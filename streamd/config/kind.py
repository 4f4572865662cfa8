"""Kinds: the interface of a module that makes sources or journals, and the parts it may use."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from datetime import tzinfo
from pathlib import Path
from typing import Any, NamedTuple

from streamd.config.fields import ConfigError, Secret


class Kind(NamedTuple):
    """A kind of source or journal: the constant ``KIND`` of a module in ``sources`` or ``journals``.

    :ivar name: the value of ``kind = "…"``.
    :ivar told_by: keys, and schemes of a ``url``, that imply this kind if ``kind`` is left out.
    :ivar settings: the msgspec structure of its table.
    :ivar make: takes a table's name, settings and surroundings, and returns a source (see
        ``source.py``) that does nothing yet.  It imports the driver, so that only users of the kind
        need it.  It raises :class:`ConfigError` with a line ``sources.NAME.KEY: …``.
    :ivar section: the first part of its key paths, such as ``sources``.
    """

    name: str
    told_by: frozenset[str]
    settings: type[Any]
    make: Callable[[str, Any, Any], Any]
    section: str = "sources"


class SourceTable(NamedTuple):
    """A table ``[sources.NAME]`` or ``[journal]``: its kind and its settings."""

    kind: Kind
    settings: Any


class Surroundings(NamedTuple):
    """The parts of the daemon that a source or a journal may use.

    :ivar base: the folder of the configuration file, from which relative paths start.
    :ivar now: returns seconds since the epoch.
    :ivar secrets: the environment variables that the configuration names as secrets, now.
    :ivar zone: the time zone of times in errors that walls show; None for the machine's.
    :ivar note: called with the key path and the text of each secret that is revealed.
    :ivar looks: whether the source runs only once, so that a person can check its values: it must
        take nothing away from its server.
    """

    reactor: Any
    base: Path
    now: Callable[[], float] = time.time
    secrets: AbstractSet[str] = frozenset()
    zone: tzinfo | None = None
    note: Callable[[str, str], object] = lambda path, text: None
    looks: bool = False

    def environment(self, listed: Iterable[str]) -> dict[str, str]:
        """Return the environment for a program: the daemon's, without secrets that are not listed."""
        hidden = self.secrets - set(listed)
        return {name: value for name, value in os.environ.items() if name not in hidden}

    def reveal(self, path: str, secret: Secret) -> str:
        """Return the text of a secret in the configuration.

        :param path: the key path of the secret.
        :raises ConfigError: if its file or variable is missing or empty.
        """
        try:
            text = secret.reveal(os.environ, lambda name: (self.base / name).read_text("utf-8"))
        except ValueError as error:
            raise ConfigError([f"{path}: {error}"]) from None
        self.note(path, text)
        return text
