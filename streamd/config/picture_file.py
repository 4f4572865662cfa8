"""Picture files in the folder of the configuration: marks, plans, stills of cameras."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from streamd.core.picture import MAX_PICTURE, Picture

ATTEMPTS = 3
PAUSE = 0.3
"""How often a file that is not complete is read, and the seconds between: a camera may be writing it.
"""


class PictureName(str):
    """The name of a picture file, below the folder of the configuration: ``plan.png``."""

    @classmethod
    def parse(cls, written: Any) -> PictureName:
        parts = PurePosixPath(written).parts if isinstance(written, str) else ()
        if not parts or parts[0] == "/" or ".." in parts or "\0" in "".join(parts):
            raise ValueError(
                'expected a file below the folder of the configuration, such as "plan.png"'
            )
        return cls(written)


class PictureLook(NamedTuple):
    """The content of a picture file at one time.

    :ivar mark: changes when the file changes: device, inode, size and time of the last change.
    :ivar written: when the file was written last, in seconds since the epoch.
    """

    picture: Picture
    mark: tuple[int, ...]
    written: float


def look_at(
    base: Path,
    name: str,
    last: PictureLook | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> PictureLook:
    """Read a picture file, if it has changed.  The call blocks, and repeats for an incomplete file.

    :param name: the file, below the folder ``base`` of the configuration.
    :param last: the last look, which is returned if the file has not changed.
    :param sleep: blocks for the seconds before the next attempt.
    :raises ValueError: the message says why there is no picture, and fits on a wall.
    """
    for attempt in range(ATTEMPTS):
        if attempt:
            sleep(PAUSE)
        try:
            return _look(base / name, last)
        except OSError as error:
            raise ValueError(f"{name} cannot be read: {error.strerror or error}") from None
        except ValueError as error:
            problem = f"{name} {error}"
    raise ValueError(problem)


def _look(path: Path, last: PictureLook | None) -> PictureLook:
    # Without a look at the type first, opening a named pipe would wait for its writer.
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise ValueError("is no file")
    mark = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns)
    if last is not None and last.mark == mark:
        return last
    with path.open("rb") as file:
        body = file.read(MAX_PICTURE + 1)
    return PictureLook(Picture.parse(body), mark, about.st_mtime)
