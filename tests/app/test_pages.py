"""The page of a configuration, with its marks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.testing import MemoryReactorClock

from streamd.app.load import load
from streamd.app.pages import DEMO_NOTE, make_page, page_content
from streamd.config.fields import ConfigError
from streamd.config.tables import Config
from streamd.http.request import Response
from tests.support.pictures import SVG, png

WALLS = '[[walls]]\nname = "hall"\nmark = "acme.svg"\n[[walls]]\nname = "lab"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "streamd.toml").write_text(WALLS)
    (tmp_path / "acme.svg").write_bytes(SVG)
    return tmp_path


def told(wall: Response) -> Any:
    assert isinstance(wall.body, bytes)
    return json.loads(wall.body)


def problems(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load(str(folder / "streamd.toml"), MemoryReactorClock())
    return error.value.problems


def test_mark_is_served_and_told(folder: Path) -> None:
    page = make_page(load(str(folder / "streamd.toml"), MemoryReactorClock()).config, folder)
    hall, lab = (told(answer) for answer in page._walls.values())
    assert "mark" not in lab
    path = f"/{hall['mark']}"
    assert path not in page.files
    assert path.startswith("/marks/")
    answer = page._marks[path[1:]]
    assert (answer.body, answer.headers["Content-Type"]) == (SVG, "image/svg+xml")
    assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_another_mark_is_another_version(folder: Path) -> None:
    config = load(str(folder / "streamd.toml"), MemoryReactorClock()).config
    page = make_page(config, folder)
    before, marks = page.version, list(page._marks)
    assert make_page(config, folder).version == before
    (folder / "acme.svg").write_bytes(SVG.replace(b"9", b"8"))
    page.show(**page_content(config, folder))
    assert page.version != before
    assert len(page._marks) == len(marks)
    assert list(page._marks) != marks


def test_mark_has_to_be_an_svg_file(folder: Path) -> None:
    (folder / "acme.svg").write_bytes(png())
    assert problems(folder) == ["walls[0].mark: expected an SVG file, not image/png"]
    (folder / "acme.svg").unlink()
    reason = "acme.svg cannot be read: No such file or directory"
    assert problems(folder) == [f"walls[0].mark: {reason}"]
    (folder / "streamd.toml").write_text(WALLS.replace("acme", "/etc/acme"))
    assert problems(folder)[0].startswith("walls[0].mark: expected a file below the folder")


def test_page_without_a_configuration_is_a_demo(tmp_path: Path) -> None:
    page = make_page(Config(), tmp_path)
    assert DEMO_NOTE in told(page._walls["all"])["note"]
    assert "inter.ttf" in page.index
