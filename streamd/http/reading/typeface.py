"""The typeface of the page: Inter, as the package ``fontpkg-inter`` installs it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

PACKAGE = "fontpkg_inter"
FILE = Path("files", "Inter[opsz,wght].ttf")
"""The upright variable font, in the folder of the package."""

MAX_SIZE = 4 * 2**20
"""Bytes: Inter 4.1 has 877 kB.  A larger file is not a font of one family."""


def typeface(package: str = PACKAGE) -> bytes | None:
    """Return the font file.

    None if the package is not there or has another layout: then the page uses ``system-ui``.
    """
    found = find_spec(package)
    for folder in found.submodule_search_locations or () if found else ():
        try:
            font = Path(folder, FILE).read_bytes()
        except OSError:
            continue
        return font if len(font) <= MAX_SIZE else None
    return None
