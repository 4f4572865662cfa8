"""The shell commands that a page of the documentation has."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent


def shell_blocks(page: Path) -> list[str]:
    """The blocks of a page in the language ``sh``."""
    form = r"^( *)\.\. code-block:: sh\n\n((?:(?:\1    .*)?\n)+)"
    return [dedent(block).strip() for _, block in re.findall(form, page.read_text(), re.M)]
