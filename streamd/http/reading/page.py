"""Serves the page and the walls to browsers; a new build identifier makes pages reload."""

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
from msgspec.structs import replace

from streamd.config.screens import ScreenTable
from streamd.config.walls import EVERYTHING, Wall
from streamd.core.errors import Refused, shorten
from streamd.core.picture import Picture
from streamd.core.rights import no_right, no_wall
from streamd.core.update import check_name
from streamd.http.reading.pictures import picture_response
from streamd.http.request import FOREVER, NAME, Request, Response, Routes, unless_known

_BUILD = b'<meta name="build" content="">'
"""The place in ``index.html`` for the build identifier."""

_LANGUAGE = b'<meta name="language" content="">'
"""The place in ``index.html`` for the language of its first script, which knows no wall yet."""

_LINKS = b"<!-- the server links the kinds' style sheets and all modules here -->"
"""The place in ``index.html`` for links to its other files.  Browsers then fetch them at once.  The
service worker and the check for a newer page find the list of the page's files there."""

_BOOT = b'<script src="boot.js"></script>'
"""The place in ``index.html`` for its first script, made inline, so that it is never missing."""

_SCRIPT = re.compile(rb'<script[^>]* src="([^"]+)"')
_IMPORT = re.compile(rb'^(?:import|export)\b(?:[^;"]*\bfrom)?\s*"(\.\.?/[^"]+)"', re.MULTILINE)

ALONE = 30.0
"""The seconds of a turn of a wall that has no other beside it."""

ADMIN, ADMIN_PATH = "admin.html", "/admin"
"""The file of the page for administrators, and its path.  Its other files are in ``web/admin``."""

ADMIN_POLICY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}
"""Stricter than the policy of walls: the page may revoke grants, so no page may show it in a frame."""

TYPEFACE = "inter.ttf"
"""The name of the font file, which ``web/wall/theme.css`` requests."""


class Page:
    """The static page and the walls.  All files are read at the start; no other file can be requested.

    :ivar build: an identifier that changes with the page's files.
    :ivar version: an identifier that changes with the walls and screens.
    :ivar index: ``index.html``, with its build, its first script and its links.
    :ivar script: the source expression of a Content-Security-Policy that allows the first script.
    :ivar walls: the names of the walls, in the order of the configuration.
    :ivar files: the paths of the page's own files, which contain no data and no configuration.
    """

    def __init__(
        self,
        folder: Path,
        walls: Sequence[Wall] = (),
        note: str = "",
        order: Sequence[str] = (),
        language: str | None = None,
        timezone: str | None = None,
        typeface: bytes | None = None,
        marks: Mapping[str, Picture] | None = None,
        screens: Sequence[ScreenTable] = (),
    ) -> None:
        """:param typeface: a font file, or None.

        The other arguments are those of :meth:`show`.

        :raises FileNotFoundError: if there is no ``index.html``.
        """
        files = _read(folder)
        if "index.html" not in files:
            raise FileNotFoundError(folder / "index.html")
        if typeface is not None:
            files[TYPEFACE] = typeface
        self._read = files
        boot = files.get("boot.js", b"")
        self.script = f"'sha256-{base64.b64encode(hashlib.sha256(boot).digest()).decode()}'"
        self._responses = {
            f"/{name}": _file(name, body) for name, body in files.items() if name != ADMIN
        }
        if ADMIN in files:
            shown = _file(ADMIN, files[ADMIN])
            self._responses[ADMIN_PATH] = replace(shown, headers={**shown.headers, **ADMIN_POLICY})
            moved = Response(308, b"", {"Location": f"..{ADMIN_PATH}"})
            self._responses[f"{ADMIN_PATH}/"] = moved
        self.files = {"/", *self._responses}
        self.show(walls, note, order, language, timezone, marks, screens)

    def show(
        self,
        walls: Sequence[Wall] = (),
        note: str = "",
        order: Sequence[str] = (),
        language: str | None = None,
        timezone: str | None = None,
        marks: Mapping[str, Picture] | None = None,
        screens: Sequence[ScreenTable] = (),
    ) -> None:
        """Show these walls from now on.

        :param note: a text that every wall shows at its bottom.
        :param order: names of streams and sources; the tiles of a glob follow this order.
        :param language: the language of walls without their own; None for the browser's.
        :param timezone: the time zone of walls without their own; None for the browser's.
        :param screens: the screens that the configuration knows.
        :param marks: the company's marks in the headers of walls: name of the SVG file -> picture.
        """
        said = {"order": order, **({"note": note} if note else {})}
        drawn = {name: (_mark_path(mark), mark) for name, mark in (marks or {}).items()}
        told = {
            wall.name: {
                **wall.public(language, timezone),
                **({"mark": drawn[wall.mark][0]} if wall.mark in drawn else {}),
                **said,
            }
            for wall in walls or (EVERYTHING,)
        }
        self.walls = list(told)
        known = {screen.name: screen.public(timezone) for screen in screens}
        self.version = _digest(msgspec.json.encode([told, known]))
        self._show_index(language)
        self._marks = {path: picture_response(mark) for path, mark in drawn.values()}
        self._told = told
        self._streams = {wall.name: wall.selection() for wall in walls or (EVERYTHING,)}
        self._playlists = {screen.name: screen.walls_in_turn() for screen in screens}
        self._screens = known
        self._walls = {n: self._answer({**wall, "build": self.build}) for n, wall in told.items()}

    def _show_index(self, language: str | None) -> None:
        """Make ``index.html``, with its build, its language, its first script and its links."""
        files = self._read
        self.build = _digest(msgspec.json.encode([list(files.items()), str(language)]))
        filled = _BUILD.replace(b'""', b'"%b"' % self.build.encode())
        index = files["index.html"].replace(_BUILD, filled)
        if language is not None:
            index = index.replace(_LANGUAGE, _LANGUAGE.replace(b'""', b'"%b"' % language.encode()))
        index = index.replace(_LINKS, "\n  ".join(_links(files)).encode())
        index = index.replace(_BOOT, b"<script>%b</script>" % files.get("boot.js", b""))
        self.index = index.decode()
        self._responses["/"] = self._responses["/index.html"] = _file("index.html", index)

    def _answer(self, part: Mapping[str, Any]) -> Response:
        return _json({**part, "version": self.version})

    @property
    def routes(self) -> Routes:
        return {
            "/walls": {"GET": self.get_walls},
            f"/walls/{NAME}": {"GET": self.get_wall},
            f"/screens/{NAME}": {"GET": self.get_screen},
            f"/marks/{NAME}": {"GET": self.get_mark},
            **{path: {"GET": partial(self.get_file, path)} for path in self._responses},
        }

    def get_file(self, path: str, request: Request) -> Response:
        """``GET /`` and the page's other files."""
        response = self._responses[path]
        return unless_known(response, request) if response.status == 200 else response

    def _may_read(self, request: Request, wall: str) -> bool:
        return request.rights.may_read_wall(wall, self._streams[wall])

    def get_walls(self, request: Request) -> Response:
        """``GET /walls``: the names of the walls that the client may read; the first is the default."""
        readable = [name for name in self.walls if self._may_read(request, name)]
        return unless_known(_json({"walls": readable}), request)

    def get_wall(self, request: Request, name: str) -> Response:
        """``GET /walls/NAME``: the title, the theme and the tiles of a wall.

        :raises Refused: 404 if the wall does not exist, 403 if the client may not read it.
        """
        if name not in self._walls or not self._may_read(request, name):
            raise no_such_wall(name, self.walls, request)
        view = request.rights.view
        if view.all:
            return unless_known(self._walls[name], request)
        told = self._told[name]
        visible = [each for each in told["order"] if view.may_share(each)]
        return unless_known(_json({**told, "order": visible, "build": self.build}), request)

    def get_screen(self, request: Request, name: str) -> Response:
        """``GET /screens/NAME``: the walls that a screen shows in turn, and when it is dimmed.

        A screen without its own table has no walls.  It shows the wall in its address.  A screen
        with a grant gets its own table, or else its own wall, even if its address names another
        one.

        A client that may not read one of the walls does not learn whether the screen has a table.
        """
        name = request.rights.screen or check_name(name)
        walls = self._playlists.get(name, ())
        unknown = {"name": name, "walls": []}
        may_read = all(self._may_read(request, wall) for wall in walls)
        told = self._screens.get(name, unknown) if may_read else unknown
        if request.rights.screen and not walls:
            own = sorted(request.rights.walls or ())
            told = {**told, "walls": [{"wall": wall, "for": ALONE} for wall in own]}
        return unless_known(self._answer(told), request)

    def get_mark(self, request: Request, name: str) -> Response:
        """``GET /marks/VERSION.svg``: the mark of a wall that the client may read.

        :raises Refused: 404 if the mark does not exist, or the client may not see it.
        """
        path = f"marks/{name}"
        with_it = [wall for wall, told in self._told.items() if told.get("mark") == path]
        if not any(self._may_read(request, wall) for wall in with_it):
            raise Refused(404, "not-found", "there is nothing here")
        return unless_known(self._marks[path], request)


def no_such_wall(name: str, walls: Collection[str], request: Request) -> Refused:
    """Return the error for a wall that does not exist, or that the client may not read.

    A client with few rights gets the same error for both.
    """
    if not request.rights.reads_all:
        return no_right(f"reading the wall {shorten(name)}")
    return no_wall(name, walls)


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
    if TYPEFACE in files:
        # Without crossorigin, browsers would fetch it twice (HTML, link type preload). On a slow line
        # the modules come first: the wall can be read in another typeface.
        kind = 'as="font" type="font/ttf" fetchpriority="low" crossorigin'
        yield f'<link rel="preload" href="{TYPEFACE}" {kind}>'
    for name in files:
        if name.startswith("admin/"):
            continue  # the other page
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
    if name == TYPEFACE:  # Python 3.11 knows no type for it
        return _tagged(body, "font/ttf", FOREVER)
    return _tagged(body, content_type(name))


def content_type(name: str) -> str:
    """Return the ``Content-Type`` of a file."""
    # Python and the system take TypeScript for a video (MPEG) or a translation (Qt).
    known = "text/plain" if name.endswith(".d.ts") else mimetypes.guess_type(name)[0]
    kind = known or "application/octet-stream"
    return kind + "; charset=utf-8" if kind.startswith("text/") else kind


def _mark_path(mark: Picture) -> str:
    return f"marks/{mark.version}.svg"


def _json(value: Mapping[str, Any]) -> Response:
    return _tagged(msgspec.json.encode(value) + b"\n", "application/json")


def _tagged(body: bytes, kind: str, cached: str = "no-cache") -> Response:
    headers = {"Content-Type": kind, "Cache-Control": cached, "ETag": f'"{_digest(body)}"'}
    return Response(200, body, headers)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def web_folder() -> Path:
    """Return the folder of the page: inside the package if installed, beside it in a checkout."""
    package = Path(__file__).parents[2]
    inside = package / "web"
    return inside if inside.is_dir() else package.parent / "web"
