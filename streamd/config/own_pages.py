"""The user's own pages: the value of ``[server] pages``, and the files in that folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

MAX_FILES = 1000
MAX_BYTES = 32 * 2**20
"""The most files of a folder, and the most bytes of all together: they are kept in memory."""


class OwnPages:
    """The value of ``[server] pages``: a folder, or a table with ``folder`` and ``csp``.

    :ivar folder: below or beside the folder of the configuration.
    :ivar csp: the Content-Security-Policy of these files; None for the wall's.
    """

    def __init__(self, folder: str, csp: str | None = None) -> None:
        self.folder, self.csp = folder, csp

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OwnPages) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def parse(cls, written: Any) -> OwnPages:
        told = written if isinstance(written, dict) else {"folder": written}
        unknown = sorted(told.keys() - {"folder", "csp"})
        if unknown:
            raise ValueError(f"unknown key {unknown[0]}; there are folder, csp")
        folder, csp = told.get("folder"), told.get("csp")
        if not isinstance(folder, str) or not folder.strip() or "\0" in folder:
            raise ValueError('expected a folder such as "pages"')
        if csp is None:
            return cls(folder)
        if not isinstance(csp, str) or not csp.strip() or not (csp.isascii() and csp.isprintable()):
            raise ValueError("csp: expected a Content-Security-Policy in one line of ASCII")
        return cls(folder, csp.strip())


class OwnFile(NamedTuple):
    """A file as it was when it was read.

    :ivar tag: its ``ETag``.
    :ivar mark: changes when the file changes: device, inode, size and time of the last change.
    """

    body: bytes
    tag: str
    mark: tuple[int, ...]


Files = Mapping[str, OwnFile]
"""The path below the folder, such as ``floor/index.html`` -> the file."""


def read_pages(folder: Path, known: Files | None = None) -> Files:
    """Read all files of a folder and of the folders in it.  The call may block.

    Hidden files and folders, links to folders, links that leave the folder, and everything that is not
    a regular file are left out.

    :param known: the result of the last call: files that did not change are not read again.
    :raises ValueError: if the folder or a file cannot be read, or there are too many.
    """
    known = known or {}
    found: dict[str, OwnFile] = {}
    size = 0
    try:
        root = folder.resolve(strict=True)
        for path in _paths(root):
            name = path.relative_to(root).as_posix()
            file = _read(path, root, known.get(name), MAX_BYTES - size)
            if file is None:
                continue
            found[name] = file
            size += len(file.body)
            if size > MAX_BYTES:
                raise ValueError(f"{folder} has more than {MAX_BYTES // 2**20} MiB")
            if len(found) > MAX_FILES:
                raise ValueError(f"{folder} has more than {MAX_FILES} files")
    except OSError as error:
        raise ValueError(f"{error.filename or folder} cannot be read: {error.strerror}") from None
    return found


def _paths(root: Path) -> Iterator[Path]:
    """Yield the files that are not hidden, in the order of their names."""

    def fail(error: OSError) -> None:
        raise error

    for folder, folders, files in os.walk(root, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(files) if not name.startswith("."))


def _read(link: Path, root: Path, known: OwnFile | None, room: int) -> OwnFile | None:
    """Return a file; None if it does not count."""
    try:
        path = link.resolve()
    except RuntimeError:  # a loop of links
        return None
    if not path.is_relative_to(root) or any(
        part.startswith(".") for part in path.relative_to(root).parts
    ):
        return None
    if not path.is_file():  # to open a socket fails, and to open a device may do anything
        return None
    try:
        # A link may have been put here since, and to open a pipe would wait for its writer.
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:  # a link to nothing, or an editor replaces the file
        return None
    with os.fdopen(number, "rb") as file:
        about = os.fstat(number)
        if not stat.S_ISREG(about.st_mode):
            return None
        mark = about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns
        if known is not None and known.mark == mark:
            return known
        body = file.read(room + 1)
        return OwnFile(body, f'"{sha256(body).hexdigest()[:16]}"', mark)
