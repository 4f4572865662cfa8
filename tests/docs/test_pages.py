"""What the pages of the documentation name exists.  (`make docs` checks references between pages.)"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from streamd.core.description import KINDS_OF_TILE
from tests.support.daemon import CHECKOUT
from tests.support.pages import shell_blocks

PAGES = sorted([*CHECKOUT.glob("*.rst"), *CHECKOUT.glob("docs/*.rst")])

FOLDERS = "bench|checks|docs|examples|streamd|systemd|tests|web"

MAX_WIDTH = 120


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


def prose(text: str) -> Iterator[str]:
    """Yield the lines of a page outside of simple tables and literal blocks."""
    in_table, literal = False, None
    for line, following in pairwise([*text.splitlines(), ""]):
        indent = len(line) - len(line.lstrip())
        if literal is not None and (not line or indent > literal):
            continue
        literal = None
        if re.fullmatch(r" *=+( +=+)+", line):
            in_table = not in_table or bool(following)  # the last border has no row after it
        elif not in_table:
            yield line
            directive = line.lstrip().startswith("..")
            if ".. code-block::" in line or (line.endswith("::") and not directive):
                literal = indent


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_lines_are_short(page: Path) -> None:
    assert [line for line in prose(page.read_text()) if len(line) > MAX_WIDTH] == []


def test_the_width_of_tables_and_literal_blocks_is_free() -> None:
    table = "====  =====\nname  value\n====  =====\na     b\n====  =====\n"
    block = "Run::\n\n    make\n\n    make test\n\n.. code-block:: sh\n\n    make\n\n"
    assert [*prose(f"{table}\n{block}The end.")] == ["", "Run::", ".. code-block:: sh", "The end."]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_shell_commands_parse(page: Path) -> None:
    for block in shell_blocks(page):
        done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), block


def test_every_module_is_listed() -> None:
    listed = re.findall(r"^   (streamd[\w.]+)$", (CHECKOUT / "docs/modules.rst").read_text(), re.M)
    modules = (path.relative_to(CHECKOUT) for path in CHECKOUT.glob("streamd/**/*.py"))
    names = {".".join(path.with_suffix("").parts) for path in modules if path.stem != "__init__"}
    assert names == set(listed)
    assert len(listed) == len(names)


def imported(package: str) -> set[str]:
    """The packages of streamd that the modules of `package` import, itself left out."""
    root = CHECKOUT / "streamd"
    files = [root / f"{package}.py"] if package == "plugin" else (root / package).rglob("*.py")
    lines = "\n".join(file.read_text() for file in files)
    return set(re.findall(r"^ *(?:from|import) streamd\.(\w+)", lines, re.M)) - {package}


def test_packages_import_what_the_architecture_says() -> None:
    text = (CHECKOUT / "docs/architecture.rst").read_text()
    said = re.findall(r"^(\w+)(?: \(pure\))?\n(?:    .*\n|\n)+?    Imports (.*)\.$", text, re.M)
    assert len(said) == 11
    for package, imports in said:
        if imports != "every package":
            named = (
                set() if imports.startswith("nothing") else set(re.findall(r"[a-z]{3,}", imports))
            )
            assert named - {"and"} == imported(package), package


@pytest.mark.parametrize("kind", KINDS_OF_TILE)
def test_the_wall_shows_each_kind_in_a_picture_with_its_configuration(kind: str) -> None:
    text = (CHECKOUT / "docs/wall.rst").read_text()
    (said,) = re.findall(rf"^``{kind}``\n((?: +.*\n|\n)+)", text, re.M)
    pictures = re.findall(r"image:: (pictures/kind-[\w-]+\.png)", said)
    assert pictures
    assert all((CHECKOUT / "docs" / picture).exists() for picture in pictures)
    assert ".. code-block:: toml" in said
