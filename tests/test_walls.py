"""What a screen is to show, over real TCP: the page that knows its build, and the walls."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streamd.app.service import web_folder
from streamd.config.parse import parse
from streamd.http.page import Page
from tests.support.served import QUIET, Serve, Served, in_thread

KITCHEN = f"""{QUIET}
[[walls]]
name = "kitchen"
title = "Kitchen"
rotate = "1m"
streams = ["shop.*", "build"]
[[walls]]
name = "hall"
theme = "light"
[[walls.tiles]]
streams = ["load.web", "load.db"]
title = "Load"
show = "chart"
"""


@in_thread
def test_walls(serve: Serve) -> None:
    served = serve(KITCHEN)
    assert served.request("GET", "/walls").json() == {"walls": ["kitchen", "hall"]}
    kitchen = served.request("GET", "/walls/kitchen").json()
    assert re.fullmatch("[0-9a-f]{16}", kitchen.pop("build"))
    assert kitchen == {
        "name": "kitchen",
        "title": "Kitchen",
        "theme": "dark",
        "rotate": 60.0,
        "tiles": [{"stream": "shop.*"}, {"stream": "build"}],
    }
    hall = served.request("GET", "/walls/hall").json()
    load = {"streams": ["load.web", "load.db"], "title": "Load", "show": "chart"}
    assert (hall["title"], hall["theme"], hall["tiles"]) == ("hall", "light", [load])


@in_thread
def test_without_walls_there_is_one_of_all_streams(served: Served) -> None:
    assert served.request("GET", "/walls").json() == {"walls": ["all"]}
    everything = served.request("GET", "/walls/all").json()
    assert (everything["title"], everything["tiles"]) == ("all", [{"stream": "*"}])


@in_thread
def test_wall_that_is_not_there(serve: Serve) -> None:
    served = serve(KITCHEN)
    for name in ("all", "-", "Kitchen", "kitchen%20"):
        answer = served.request("GET", f"/walls/{name}")
        assert (answer.status, answer.json()["error"]["code"]) == (404, "unknown-wall")


@pytest.mark.parametrize("path", ["/walls", "/walls/kitchen"])
@in_thread
def test_wall_that_is_known_is_not_sent_again(serve: Serve, path: str) -> None:
    served = serve(KITCHEN)
    first = served.request("GET", path)
    assert first.headers["Cache-Control"] == "no-cache"
    known = {"If-None-Match": first.headers["ETag"]}
    again = served.request("GET", path, headers=known)
    assert (again.status, again.body) == (304, b"")
    assert serve().request("GET", "/walls", headers=known).status == 200


@in_thread
def test_page_knows_its_build(served: Served) -> None:
    build = served.request("GET", "/walls/all").json()["build"]
    assert f'<meta name="build" content="{build}">' in served.request("GET", "/").text


def copy(folder: Path, **files: str) -> Path:
    for name, text in {"index": "<html>", **files}.items():
        (folder / f"{name}.html").write_text(text)
    return folder


def test_build_is_another_for_any_change(tmp_path: Path) -> None:
    walls = parse(KITCHEN, ()).walls
    first = Page(copy(tmp_path), walls).build
    assert Page(copy(tmp_path), walls).build == first
    changed = [
        Page(copy(tmp_path), walls[:1]),
        Page(copy(tmp_path), walls[::-1]),
        Page(copy(tmp_path)),
        Page(copy(tmp_path, index="<html >"), walls),
        Page(copy(tmp_path, more=""), walls),
        Page(copy(tmp_path, more="x"), walls),
        Page(web_folder(), walls),
    ]
    builds = [first, *(page.build for page in changed)]
    assert len(set(builds)) == len(builds)


def test_page_without_index(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"index\.html"):
        Page(tmp_path)
