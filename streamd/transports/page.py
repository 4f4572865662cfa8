"""The page: what a browser is handed."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from functools import partial
from pathlib import Path

from streamd.http import Response, Routes, unless_known


class Page:
    """The static page, read once.  Nothing else of the disk can be asked for."""

    def __init__(self, folder: Path) -> None:
        """:raises FileNotFoundError: if there is no ``index.html``."""
        files = _read(folder)
        self._answers = {f"/{name}": _file(name, body) for name, body in files.items()}
        if "/index.html" not in self._answers:
            raise FileNotFoundError(folder / "index.html")
        self._answers["/"] = self._answers["/index.html"]

    @property
    def routes(self) -> Routes:
        """What it answers."""
        return {
            re.escape(path): {"GET": partial(unless_known, answer)}
            for path, answer in self._answers.items()
        }


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


def _tagged(body: bytes, kind: str) -> Response:
    tag = hashlib.sha256(body).hexdigest()[:16]
    headers = {"Content-Type": kind, "Cache-Control": "no-cache", "ETag": f'"{tag}"'}
    return Response(200, body, headers)
