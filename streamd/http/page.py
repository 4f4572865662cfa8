"""Serves the page and the walls to browsers; a build identifier tells them when the page is newer."""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import posixpath
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from streamd.config.tables import Wall
from streamd.core.errors import Refused, shorten
from streamd.http.request import NAME, Request, Response, Routes, unless_known

_BUILD = b'<meta name="build" content="">'
"""The place in ``index.html`` for the build identifier."""

_LINKS = b"<!-- the server links the kinds' style sheets and all modules here -->"
"""The place in ``index.html`` for links to its other files.  Browsers then fetch them at once.  The
service worker and the check for a newer page find the list of the page's files there."""

_BOOT = b'<script src="boot.js"></script>'
"""The place in ``index.html`` for its first script, made inline, so that it is never missing."""

_SCRIPT = re.compile(rb'<script[^>]* src="([^"]+)"')
_IMPORT = re.compile(rb'^(?:import|export)\b(?:[^;"]*\bfrom)?\s*"(\.\.?/[^"]+)"', re.MULTILINE)

_EVERYTHING = Wall(name="all")
"""The wall if none is configured: all streams."""


class Page:
    """The static page and the walls.  All files are read at the start; no other file can be requested.

    :ivar build: an identifier that changes with the page's files and the walls.
    :ivar index: ``index.html``, with its build, its first script and its links.
    :ivar script: the source in a Content-Security-Policy that allows the first script.
    :ivar walls: the names of the walls, in the order of the configuration.
    """

    def __init__(
        self,
        folder: Path,
        walls: Sequence[Wall] = (),
        note: str = "",
        order: Sequence[str] = (),
    ) -> None:
        """:param note: a text that every wall shows at its bottom.

        :param order: names of streams and sources; the tiles of a glob follow this order.
        :raises FileNotFoundError: if there is no ``index.html``.
        """
        files = _read(folder)
        if "index.html" not in files:
            raise FileNotFoundError(folder / "index.html")
        said = {"order": order, **({"note": note} if note else {})}
        told = {wall.name: {**wall.public(), **said} for wall in walls or (_EVERYTHING,)}
        self.walls = list(told)
        self.build = _digest(msgspec.json.encode([list(files.items()), told]))
        filled = _BUILD.replace(b'""', b'"%b"' % self.build.encode())
        index = files["index.html"].replace(_BUILD, filled)
        index = index.replace(_LINKS, "\n  ".join(_links(files)).encode())
        boot = files.get("boot.js", b"")
        files["index.html"] = index.replace(_BOOT, b"<script>%b</script>" % boot)
        self.script = f"'sha256-{base64.b64encode(hashlib.sha256(boot).digest()).decode()}'"
        self.index = files["index.html"].decode()
        self._files = {f"/{name}": _file(name, body) for name, body in files.items()}
        self._files["/"] = self._files["/index.html"]
        self._list = _json({"walls": self.walls})
        self._walls = {n: _json({**wall, "build": self.build}) for n, wall in told.items()}

    @property
    def routes(self) -> Routes:
        static = {"/walls": self._list, **self._files}
        return {
            f"/walls/{NAME}": {"GET": self.get_wall},
            **{path: {"GET": partial(unless_known, r)} for path, r in static.items()},
        }

    @property
    def files(self) -> Collection[str]:
        """The paths of the page's own files, which contain no data and no configuration."""
        return self._files.keys()

    def get_wall(self, request: Request, name: str) -> Response:
        """``GET /walls/NAME``: the title, the theme and the tiles of a wall.

        :raises Refused: 404 if the wall does not exist.
        """
        if name not in self._walls:
            raise Refused(404, "unknown-wall", f"there is no wall {shorten(name)}")
        return unless_known(self._walls[name], request)


def _read(folder: Path) -> dict[str, bytes]:
    """Return every file below ``folder`` that is not hidden: relative path -> content."""
    found = {}
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder)
        if file.is_file() and not any(part.startswith(".") for part in name.parts):
            found[name.as_posix()] = file.read_bytes()
    return found


def _links(files: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the links for ``index.html``: other style sheets, and all modules that it imports."""
    index = files["index.html"]
    for name in files:
        if name.endswith(".css") and f'"{name}"'.encode() not in index:
            yield f'<link rel="stylesheet" href="{name}">'
    scripts = [script.decode() for script in _SCRIPT.findall(index)]
    for name in sorted(_imported(files, scripts) - set(scripts)):
        yield f'<link rel="modulepreload" href="{name}">'


def _imported(files: Mapping[str, bytes], scripts: Sequence[str]) -> set[str]:
    """Return the names of these modules and of all that they import, directly or indirectly."""
    found: set[str] = set()
    waiting = list(scripts)
    while waiting:
        name = waiting.pop()
        if name in found or name not in files:
            continue
        found.add(name)
        folder = posixpath.dirname(name)
        waiting += [
            posixpath.normpath(posixpath.join(folder, path.decode()))
            for path in _IMPORT.findall(files[name])
        ]
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


def web_folder() -> Path:
    """Return the folder of the page: inside the package if installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "web"
    return inside if inside.is_dir() else package.parent / "web"
