"""The lines of the log about one backfill; an error that stays is logged once."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from time import localtime, strftime
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure

from streamd.core.errors import Refused
from streamd.core.histories.past import Past
from streamd.sources.backfills.rows import PastRows
from streamd.sources.errors import SourceError

SHOWN_STREAMS = 5
"""The most names of streams in one line of the log."""


class BackfillLog:
    """Logs what one backfill does, and tells the reason of a failure to the pasts that wait for it."""

    _log = Logger()

    def __init__(self, name: str) -> None:
        """:param name: of the source."""
        self._name = name
        self._told: str | None = None  # the error that was logged last
        self._strange: set[str] = set()  # streams without rollup that were logged
        self._faults: set[str] = set()  # of rows, that were logged
        self._rows = 0

    def begin(self, time: float) -> None:
        """Log the time at which the backfill begins, in seconds since the epoch."""
        self._log.info(
            "source {source}: a backfill begins at {begin}",
            source=self._name,
            begin=strftime("%Y-%m-%d %H:%M", localtime(time)),
        )

    def complete(self) -> None:
        """Log that no past is left to fill."""
        self._log.info(
            "source {source}: the backfill is complete, with {rows} rows since the start",
            source=self._name,
            rows=self._rows,
        )

    def stands_still(self, failure: Failure) -> None:
        """Log an unexpected failure, after which the backfill does not continue."""
        self._log.failure("the backfill of {source} stands still", failure, source=self._name)

    def complain(self, error: Exception, pasts: Iterable[Past]) -> None:
        """Note that a window failed.

        :param pasts: those that cannot be filled now.
        """
        known = error if isinstance(error, SourceError | Refused) else None
        message = known.message if known else f"the backfill failed ({type(error).__name__})"
        for past in pasts:
            past.trouble = message
        if message == self._told:
            return
        self._told = message
        key = getattr(error, "key", "") or "backfill"
        about: dict[str, Any] = {"source": self._name, "path": f"sources.{self._name}.{key}"}
        if known is None:
            self._log.failure("{path}: the backfill failed", Failure(error), **about)
            return
        detail = getattr(error, "detail", "")
        self._log.warn(
            "{path}: {error}{more}; the backfill tries again",
            error=message,
            more=detail and f" {detail}",
            **about,
        )

    def mend(self, pasts: Iterable[Past]) -> None:
        """Note that a window was read."""
        if self._told is not None:
            self._told = None
            self._log.info("source {source}: the backfill continues", source=self._name)
            for past in pasts:
                past.trouble = None

    def note(self, found: PastRows, key: str, strange: Collection[str]) -> None:
        """Count the rows, and log once which of them fill nothing.

        :param key: the key of the query in the source's table.
        :param strange: names of rows that belong to no stream with a rollup.
        """
        self._rows += len(found.rows)
        new = sorted(set(strange) - self._strange)
        self._strange.update(new)
        if new:
            names = ", ".join(new[:SHOWN_STREAMS]) + ", …" * (len(new) > SHOWN_STREAMS)
            self._warn(key, f"no [streams] table with rollup, so nothing is kept: {names}")
        for fault in sorted(found.faults.keys() - self._faults):
            self._faults.add(fault)
            self._warn(fault, found.faults[fault])

    def _warn(self, key: str, text: str) -> None:
        path = f"sources.{self._name}.{key}"
        self._log.warn("{path}: {error}", source=self._name, path=path, error=text)
