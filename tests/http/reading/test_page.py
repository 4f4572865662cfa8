"""The page and the walls, read once from a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamd.config.fields import Language
from streamd.config.screens import ScreenTable
from streamd.config.walls import Wall
from streamd.http.reading.page import Page, web_folder
from streamd.http.request import Request


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text(
        '<meta name="build" content=""><meta name="language" content="">'
    )
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


def test_page_for_administrators_is_another_page(folder: Path) -> None:
    (folder / "admin").mkdir()
    for name in ("admin.html", "admin/start.js", "admin/admin.css"):
        (folder / name).write_text("admin")
    page = Page(folder)
    shown = page.get_file("/admin", Request("GET", "/admin"))
    assert "frame-ancestors 'none'" in shown.headers["Content-Security-Policy"]
    assert shown.headers["Content-Type"].startswith("text/html")
    moved = page.get_file("/admin/", Request("GET", "/admin/"))
    assert (moved.status, moved.headers["Location"]) == (308, "../admin")
    assert "/admin.html" not in page.routes
    assert {"/admin", "/admin/", "/admin/start.js"} <= page.files
    assert "admin" not in page.index


def test_hidden_files_cannot_be_asked_for(folder: Path) -> None:
    paths = Page(folder).routes.keys()
    assert {"/", "/index.html", "/wall.js"} <= paths
    assert not [path for path in paths if "hidden" in path]


def test_types_of_the_client_are_served_as_text() -> None:
    path = "/client/streamd.d.ts"
    answer = Page(web_folder()).get_file(path, Request("GET", path))
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_build_names_the_files(folder: Path) -> None:
    first = Page(folder).build
    assert Page(folder).build == first
    assert Page(folder, [Wall(name="hall")]).build == first
    (folder / "wall.js").write_text("2")
    assert Page(folder).build != first


def test_version_names_the_walls_and_the_screens(folder: Path) -> None:
    page = Page(folder)
    first = page.version
    assert Page(folder).version == first
    page.show([Wall(name="hall")])
    assert page.version != first
    assert page.walls == ["hall"]
    page.show(screens=[ScreenTable(name="tv")])
    assert page.version != first
    page.show()
    assert page.version == first


def test_another_language_is_another_build(folder: Path) -> None:
    page = Page(folder)
    first = page.build
    page.show(language="de")
    assert page.build != first
    assert '<meta name="language" content="de">' in page.index


def test_without_a_wall_there_is_one_of_everything(folder: Path) -> None:
    assert Page(folder).walls == ["all"]
    assert Page(folder, [Wall(name="hall"), Wall(name="lab")]).walls == ["hall", "lab"]


def test_walls_have_the_order_of_the_configuration(folder: Path) -> None:
    page = Page(folder, [Wall(name="hall")], order=["b", "a"])
    [answer] = page._walls.values()
    assert b'"order":["b","a"]' in answer.body
    assert page.version != Page(folder, [Wall(name="hall")], order=["a", "b"]).version


def test_walls_have_the_language_and_timezone(folder: Path) -> None:
    page = Page(folder, [Wall(name="hall")], language="de", timezone="Europe/Berlin")
    [answer] = page._walls.values()
    assert b'"language":"de","timezone":"Europe/Berlin"' in answer.body
    assert '<meta name="language" content="de">' in page.index
    assert page.build != Page(folder, [Wall(name="hall")], language="fr").build
    [answer] = Page(folder, [Wall(name="hall", language=Language("fr"))])._walls.values()
    assert b'"language":"fr"' in answer.body
