"""The configurations on the page of sources, as a user pastes them."""

from __future__ import annotations

import re

from tests.support.daemon import CHECKOUT


def pasted(kind: str) -> str:
    """The block of ``docs/sources.rst`` with this class."""
    text = (CHECKOUT / "docs/sources.rst").read_text()
    form = rf"\.\. code-block:: toml\n   :class: {kind}\n\n((?:    .*\n|\n)+)"
    [block] = re.findall(form, text)
    return re.sub("(?m)^    ", "", block)
