"""Complaints: the errors of one source in the daemon's log, without repetitions."""

from __future__ import annotations

from twisted.logger import Logger
from twisted.python.failure import Failure


class Complaints:
    """Logs the errors of one source, with key paths such as ``sources.shop.query``."""

    _log = Logger()

    def __init__(self, source: str, key: str, section: str = "sources") -> None:
        """:param source: the name of the source.

        :param key: the key of its table that an error refers to if it names no other.
        :param section: the part of the key path before the name.
        """
        self._section = section
        self._source = source
        self._key = key
        self._last: str | None = None  # the error logged last; None once the source is back

    def add(self, text: str, detail: str = "", key: str = "") -> None:
        """Log an error, unless the last one had the same text.

        :param detail: more text, for the log only.
        :param key: the key in the table that has to change, if it is known.
        """
        if text != self._last:
            self._last = text
            self._log.warn(
                # Not called "message": Twisted's old observers empty a field of that name.
                "{path}: {error}{more}",
                source=self._source,
                path=self._path(key or self._key),
                error=text,
                more=detail and f" {' '.join(detail.split())}",  # psycopg's have several lines
            )

    def add_unexpected(self, text: str, failure: Failure) -> None:
        """Log an exception with its traceback, unless the last error had the same text."""
        if text != self._last:
            self._last = text
            path = self._path(self._key)
            self._log.failure("{path} failed", failure, source=self._source, path=path)

    def end(self) -> None:
        """Log that the source is back, if an error was logged before."""
        if self._last is not None:
            self._log.info("source {source} is back", source=self._source)
            self._last = None

    def _path(self, key: str) -> str:
        return ".".join(filter(None, (self._section, self._source, key)))
