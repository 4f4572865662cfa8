"""The page and the walls, read once from a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamd.config.tables import Wall
from streamd.http.page import Page, web_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text('<meta name="build" content="">')
    (tmp_path / "wall.js").write_text("1")
    for hidden in (".hidden", ".hidden-folder/x.js"):
        (tmp_path / hidden).parent.mkdir(exist_ok=True)
        (tmp_path / hidden).write_text("no")
    return tmp_path


def test_page_of_a_checkout() -> None:
    assert (web_folder() / "index.html").is_file()


def test_a_folder_without_a_page_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Page(tmp_path)


def test_hidden_files_cannot_be_asked_for(folder: Path) -> None:
    paths = Page(folder).routes.keys()
    assert {"/", "/index.html", "/wall.js"} <= paths
    assert not [path for path in paths if "hidden" in path]


def test_build_names_the_files_and_the_walls(folder: Path) -> None:
    first = Page(folder).build
    assert Page(folder).build == first
    assert Page(folder, [Wall(name="hall")]).build != first
    (folder / "wall.js").write_text("2")
    assert Page(folder).build != first


def test_without_a_wall_there_is_one_of_everything(folder: Path) -> None:
    assert Page(folder).walls == ["all"]
    assert Page(folder, [Wall(name="hall"), Wall(name="lab")]).walls == ["hall", "lab"]


def test_walls_tell_the_order_of_the_configuration(folder: Path) -> None:
    page = Page(folder, [Wall(name="hall")], order=["b", "a"])
    [answer] = page._walls.values()
    assert b'"order":["b","a"]' in answer.body
    assert page.build != Page(folder, [Wall(name="hall")], order=["a", "b"]).build
