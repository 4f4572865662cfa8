"""Kinds: what a module offers that makes sources or journals, and what it may use."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from streamd.config.fields import ConfigError, Secret


class Kind(NamedTuple):
    """A kind of source or journal: what a module in ``sources`` or ``journals`` offers as ``KIND``.

    :ivar name: written ``kind = "…"``.
    :ivar told_by: keys, and schemes of a ``url``, that tell the kind when ``kind`` is left out.
    :ivar settings: the structure of its table.
    :ivar make: of a table's name, settings and surroundings its source (see ``source.py``), which does
        nothing yet.  Drivers are imported here, not with the module.  Raises :class:`ConfigError` with
        a line ``sources.NAME.KEY: …``, such as for a driver that is missing.
    """

    name: str
    told_by: frozenset[str]
    settings: type[Any]
    make: Callable[[str, Any, Any], Any]


class SourceTable(NamedTuple):
    """One ``[sources.NAME]``, or ``[journal]``; its kind is one that :func:`parse` was handed."""

    kind: Kind
    settings: Any


class Surroundings(NamedTuple):
    """What a source or a journal may use of where it runs.

    :ivar base: the folder that relative paths start from: the configuration's.
    :ivar now: gives seconds since the epoch.
    """

    reactor: Any
    base: Path
    now: Callable[[], float] = time.time

    def reveal(self, path: str, secret: Secret) -> str:
        """The text of a secret in the configuration.

        :param path: its key path.
        :raises ConfigError: if it cannot be had.
        """
        try:
            return secret.reveal(os.environ, lambda name: (self.base / name).read_text("utf-8"))
        except ValueError as error:
            raise ConfigError([f"{path}: {error}"]) from None
