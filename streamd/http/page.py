"""The page and the walls: what a browser is handed, and by what it knows that there is another."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from streamd.config.tables import Wall
from streamd.core.errors import Refused, shorten
from streamd.http.request import NAME, Request, Response, Routes, unless_known

_BUILD = b'<meta name="build" content="">'
"""Where ``index.html`` says its own build."""

_EVERYTHING = Wall(name="all")
"""What there is without any configured wall."""


class Page:
    """The static page and the walls, read once.  Nothing else of the disk can be asked for.

    :ivar build: names this page with these walls: changes of either give another.
    :ivar walls: the name of each, the first first.
    """

    def __init__(self, folder: Path, walls: Sequence[Wall] = (), note: str = "") -> None:
        """:param note: what every wall says at its bottom.

        :raises FileNotFoundError: if there is no ``index.html``.
        """
        files = _read(folder)
        if "index.html" not in files:
            raise FileNotFoundError(folder / "index.html")
        said = {"note": note} if note else {}
        told = {wall.name: {**wall.public(), **said} for wall in walls or (_EVERYTHING,)}
        self.walls = list(told)
        self.build = _digest(msgspec.json.encode([list(files.items()), told]))
        filled = _BUILD.replace(b'""', b'"%b"' % self.build.encode())
        files["index.html"] = files["index.html"].replace(_BUILD, filled)
        self._files = {f"/{name}": _file(name, body) for name, body in files.items()}
        self._files["/"] = self._files["/index.html"]
        self._list = _json({"walls": self.walls})
        self._walls = {n: _json({**wall, "build": self.build}) for n, wall in told.items()}

    @property
    def routes(self) -> Routes:
        """What it answers."""
        static = {"/walls": self._list, **self._files}
        return {
            f"/walls/{NAME}": {"GET": self.get_wall},
            **{re.escape(p): {"GET": partial(unless_known, r)} for p, r in static.items()},
        }

    def get_wall(self, request: Request, name: str) -> Response:
        """``GET /walls/NAME``: what a screen is to show.

        :raises Refused: 404 if there is no such wall.
        """
        if name not in self._walls:
            raise Refused(404, "unknown-wall", f"there is no wall {shorten(name)}")
        return unless_known(self._walls[name], request)


def _read(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder`` that is not hidden: its name from there -> what is in it."""
    found = {}
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder)
        if file.is_file() and not any(part.startswith(".") for part in name.parts):
            found[name.as_posix()] = file.read_bytes()
    return found


def _file(name: str, body: bytes) -> Response:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return _tagged(body, kind + "; charset=utf-8" if kind.startswith("text/") else kind)


def _json(value: Mapping[str, Any]) -> Response:
    return _tagged(msgspec.json.encode(value) + b"\n", "application/json")


def _tagged(body: bytes, kind: str) -> Response:
    headers = {"Content-Type": kind, "Cache-Control": "no-cache", "ETag": f'"{_digest(body)}"'}
    return Response(200, body, headers)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
