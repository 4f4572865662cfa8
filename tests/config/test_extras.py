"""The line that tells how to install an optional dependency."""

from __future__ import annotations

import re
import tomllib

from streamd.config.extras import needs_extra
from tests.support.daemon import CHECKOUT


def test_the_line_installs_from_a_checkout() -> None:
    """On the package index, streamd is another project."""
    line = needs_extra("HTTPS", "pyOpenSSL", "tls")
    assert line == 'HTTPS needs pyOpenSSL: run pip install ".[tls]" in a checkout of streamd'


def test_every_extra_that_the_code_names_exists() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    calls = [
        call
        for file in (CHECKOUT / "streamd").rglob("*.py")
        for call in re.findall(r"needs_extra\(([^)]*)\)", file.read_text())
    ]
    named = {extra for call in calls for extra in re.findall(r'"(\w+)"$', call)}
    assert "tls" in named
    assert named <= project["optional-dependencies"].keys()


def test_no_other_text_names_an_install_line() -> None:
    texts = {file: file.read_text() for file in (CHECKOUT / "streamd").rglob("*.py")}
    assert [file.stem for file, text in texts.items() if "pip install" in text] == ["extras"]
