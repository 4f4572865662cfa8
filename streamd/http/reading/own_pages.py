"""Serves the user's own pages, ``[server] pages``, below ``/pages/``."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from streamd.config.own_pages import Files, OwnFile, read_pages
from streamd.core.errors import Refused
from streamd.http.reading.page import content_type
from streamd.http.request import REST, Request, Response, Routes, unless_known
from streamd.reactor.worker import Worker

PATH = "/pages"

FRESH = 1.0
"""Seconds for which an answer does not look at the folder again."""

INDEX = "index.html"


class Shown(NamedTuple):
    """A folder, and its files as they were read last.

    :ivar csp: the Content-Security-Policy of its files; None for the wall's.
    """

    folder: Path
    csp: str | None
    files: Files


class OwnPagesPart:
    """Answers with the files of one folder.  Only files that were read before can be requested.

    So no path can lead out of the folder, however it is written.  A request looks for changes first,
    in a thread, at most once a second.  If the folder cannot be read any more, the last files stay.
    """

    _log = Logger()

    def __init__(self, worker: Worker, clock: IReactorTime, shown: Shown | None) -> None:
        """:param shown: the folder; None if none is configured."""
        self._worker, self._clock = worker, clock
        self._turn = DeferredLock()
        self._told: str | None = None
        self._shown: Shown | None = None
        self._responses: dict[str, Response] = {}
        self.show(shown)

    @property
    def routes(self) -> Routes:
        return {PATH: {"GET": self.get_folder}, f"{PATH}/{REST}": {"GET": self.get_file}}

    def show(self, shown: Shown | None) -> None:
        """Show the files of this folder from now on."""
        self._looked = self._clock.seconds()
        self._take(shown)

    def _take(self, shown: Shown | None) -> None:
        policy = {"Content-Security-Policy": shown.csp} if shown is not None and shown.csp else {}
        files = {} if shown is None else shown.files
        self._shown = shown
        self._responses = {n: _response(n, file, policy) for n, file in files.items()}

    def get_folder(self, request: Request) -> Response:
        """``GET /pages``: redirect to the index."""
        if self._shown is None:
            raise nothing()
        return Response(308, b"", {"Location": f"{PATH[1:]}/"})

    def get_file(self, request: Request, path: str) -> Response | Deferred[Response]:
        """``GET /pages/PATH``: a file, or the ``index.html`` of a folder.

        :raises Refused: 404 if the file does not exist.
        """
        if self._shown is None:
            raise nothing()
        if self._clock.seconds() < self._looked + FRESH:
            return self._answer(path, request)
        looking = self._turn.run(self._look)
        return looking.addCallback(lambda _: self._answer(path, request))

    def _look(self) -> Deferred[None]:
        """Read what has changed; fires also if that is impossible."""
        shown = self._shown
        if shown is None or self._clock.seconds() < self._looked + FRESH:
            return succeed(None)  # the request before this one has looked

        def read(files: Files) -> None:
            self._told = None
            if self._shown is shown and files != shown.files:
                self._take(shown._replace(files=files))

        def failed(failure: Failure) -> None:
            failure.trap(ValueError)
            text = str(failure.value)
            if text != self._told:
                self._told = text
                self._log.warn("server.pages: {text}; the last files are shown", text=text)

        self._looked = self._clock.seconds()
        return self._worker.run(read_pages, shown.folder, shown.files).addCallbacks(read, failed)

    def _answer(self, path: str, request: Request) -> Response:
        name = f"{path}{INDEX}" if not path or path.endswith("/") else path
        response = self._responses.get(name)
        if response is not None:
            return unless_known(response, request)
        if f"{name}/{INDEX}" in self._responses:  # a page's relative links need the slash
            return Response(308, b"", {"Location": f"./{posixpath.basename(name)}/"})
        raise nothing()


def _response(name: str, file: OwnFile, policy: Mapping[str, str]) -> Response:
    kind = content_type(name)
    headers = {"Content-Type": kind, "Cache-Control": "no-cache", "ETag": file.tag, **policy}
    return Response(200, file.body, headers)


def nothing() -> Refused:
    """Return the error for a file that does not exist."""
    return Refused(404, "not-found", "there is nothing here")
