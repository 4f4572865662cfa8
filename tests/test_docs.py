"""What the pages of the documentation name exists.  (`make docs` checks references between pages.)"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.daemon import CHECKOUT

PAGES = sorted([*CHECKOUT.glob("*.rst"), *CHECKOUT.glob("docs/*.rst")])

FOLDERS = "bench|checks|docs|examples|streamd|systemd|tests|web"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_install_lines_work(page: Path) -> None:
    """On the package index `streamd` is another project."""
    assert 'pip install "streamd' not in page.read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_files_exist(page: Path) -> None:
    """Every path that starts with a folder of the checkout; NAME in it stands for any name."""
    named = re.findall(rf"``((?:{FOLDERS})/[\w./@-]+)``", page.read_text())
    named = [name for name in named if "NAME" not in name]
    assert [name for name in named if not (CHECKOUT / name).exists()] == []
