"""Serves the pictures of sources.  An address contains a version, so it is one picture for ever."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.python.failure import Failure

from streamd.config.picture_file import PictureLook, PictureName, look_at
from streamd.core.errors import Refused, shorten
from streamd.core.picture import Picture
from streamd.http.request import FOREVER, NAME, Request, Response, Routes, unless_known
from streamd.reactor.worker import Worker


def picture_response(picture: Picture) -> Response:
    """Return the answer with a picture.

    It may be an SVG file with scripts.  The page shows it as an image, which runs none.  The policy
    protects a person who opens the address of the picture itself.
    """
    return Response(
        200,
        picture.body,
        {
            "Content-Type": picture.kind,
            "Cache-Control": FOREVER,
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
            "ETag": f'"{picture.version}"',
        },
    )


class Pictures:
    """Reads the pictures of sources when they are requested.  Each node reads its own copy of a file.

    This object keeps the newest picture of each source, at most 1 MiB each.  Files are read one at
    a time.

    :ivar files: the picture file of each source.
    """

    def __init__(self, base: Path, files: Mapping[str, PictureName], reactor: Any) -> None:
        """:param base: the folder of the configuration."""
        self._base = base
        self.files = files
        self._worker = Worker(reactor, "pictures")
        self._looks: dict[str, PictureLook] = {}
        self._turn = DeferredLock()

    @property
    def routes(self) -> Routes:
        return {f"/pictures/{NAME}": {"GET": self.get_picture}}

    def get_picture(self, request: Request, name: str) -> Response | Deferred[Response]:
        """``GET /pictures/SOURCE?v=VERSION``: the picture of a source.

        :raises Refused: 403 if the client may not read its stream, 404 if the source does not
            exist, or its file has another version by now.
        """
        request.rights.check_view(name)  # the stream has the name of the source
        if name not in self.files:
            raise Refused(404, "unknown-picture", f"there is no picture {shorten(name)}")
        version = request.query.get("v", "")
        known = self._looks.get(name)
        if known is not None and known.picture.version == version:
            return _answer(known, request)
        return self._turn.run(self._look, name, version).addCallback(_answer, request)

    def _look(self, name: str, version: str) -> Deferred[PictureLook]:
        known = self._looks.get(name)
        if known is not None and known.picture.version == version:
            return succeed(known)  # the request before this one has read it
        looking = self._worker.run(look_at, self._base, self.files[name], known)
        return looking.addCallbacks(self._found, _missing, (name, version))

    def _found(self, look: PictureLook, name: str, version: str) -> PictureLook:
        self._looks[name] = look
        if look.picture.version != version:
            raise Refused(404, "other-version", f"the picture {name} has another version here")
        return look


def _missing(failure: Failure) -> PictureLook:
    failure.trap(ValueError)
    raise Refused(404, "no-picture", str(failure.value))


def _answer(look: PictureLook, request: Request) -> Response:
    return unless_known(picture_response(look.picture), request)
