"""What a screen is to show, over real TCP: the page that knows its build, and the walls."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streamd.config.parse import parse
from streamd.http.reading.page import Page, web_folder
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
    assert re.fullmatch("[0-9a-f]{16}", kitchen.pop("version"))
    assert kitchen == {
        "name": "kitchen",
        "title": "Kitchen",
        "theme": "dark",
        "rotate": 60.0,
        "tiles": [{"stream": "shop.*"}, {"stream": "build"}],
        "order": [],
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
        assert answer.json()["error"]["message"].endswith("; the walls are hall, kitchen")


@in_thread
def test_the_walls_that_an_error_lists_are_bounded(serve: Serve) -> None:
    served = serve("".join(f'[[walls]]\nname = "floor-{n:02}"\n' for n in range(40)))
    message = served.request("GET", "/walls/flor-01").json()["error"]["message"]
    assert 'no wall "flor-01"; the walls are floor-00, floor-01, ' in message
    assert message.endswith(", and 30 more")
    assert len(message) < 200


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


def test_version_is_another_for_any_change_of_the_walls(tmp_path: Path) -> None:
    walls = parse(KITCHEN, ()).walls
    changed = [Page(copy(tmp_path), some) for some in (walls, walls[:1], walls[::-1], ())]
    assert len({page.version for page in changed}) == len(changed)
    assert len({page.build for page in changed}) == 1
    assert Page(copy(tmp_path), walls).version == changed[0].version


def test_build_is_another_for_any_change_of_the_page(tmp_path: Path) -> None:
    walls = parse(KITCHEN, ()).walls
    first = Page(copy(tmp_path), walls).build
    assert Page(copy(tmp_path), walls).build == first
    changed = [
        Page(copy(tmp_path, index="<html >"), walls),
        Page(copy(tmp_path, more=""), walls),
        Page(copy(tmp_path, more="x"), walls),
        Page(web_folder(), walls),
    ]
    builds = [first, *(page.build for page in changed)]
    assert len(set(builds)) == len(builds)


@in_thread
def test_index_links_its_modules_and_style_sheets(serve: Serve) -> None:
    served = serve(KITCHEN)
    index = served.request("GET", "/").text
    links = re.findall(r'<(?:link|script)[^>]* (?:href|src)="([^"]+)"', index)
    assert len(links) == len(set(links))
    modules = {file.relative_to(web_folder()).as_posix() for file in web_folder().rglob("*.js")}
    others = {"boot.js", "worker.js", "streamd.js", "stream-value.js", "client/stream-value.js"}
    of_admins = {name for name in modules if name.startswith("admin/")}
    assert {link for link in links if link.endswith(".js")} == modules - others - of_admins
    sheets = {file.relative_to(web_folder()).as_posix() for file in web_folder().rglob("*.css")}
    assert {link for link in links if link.endswith(".css")} == sheets - {"admin/admin.css"}
    for link in links:
        assert served.request("GET", f"/{link}").status == 200, link


def test_index_links_what_its_scripts_import(tmp_path: Path) -> None:
    """Whatever form an import has, and also in a circle; no other text is taken for one."""
    (tmp_path / "room").mkdir()
    (tmp_path / "a.js").write_text(
        'import { x,\n  y } from "./room/b.js";\nimport "./c.js";\nexport const z = ["./d.js"];\n'
        'const e = "./e.js"; // import "./e.js"\n/** @type {import("./e.js").E} */\n'
    )
    (tmp_path / "room" / "b.js").write_text('export * from "../a.js";\nexport { q } from "./f.js";')
    for name in ("c.js", "d.js", "e.js", "room/f.js", "room/own.css", "named.css"):
        (tmp_path / name).write_text("")
    head = '<link rel="stylesheet" href="named.css">\n  <!-- the server links'
    (tmp_path / "index.html").write_text(
        f"{head} the kinds' style sheets and all modules here -->\n"
        '<script type="module" src="a.js"></script>'
    )
    index = Page(tmp_path).index
    assert index.count("named.css") == 1
    assert re.findall('rel="(.*)" href="(.*)"', index)[1:] == [
        ("stylesheet", "room/own.css"),
        ("modulepreload", "c.js"),
        ("modulepreload", "room/b.js"),
        ("modulepreload", "room/f.js"),
    ]


def test_first_script_is_part_of_the_index(tmp_path: Path) -> None:
    """A request of its own could fail, and then nothing would notice that the page does not run."""
    (tmp_path / "boot.js").write_text("first();")
    (tmp_path / "index.html").write_text('<script src="boot.js"></script>')
    page = Page(tmp_path)
    assert page.index == "<script>first();</script>"
    # openssl dgst -sha256 -binary | base64
    assert page.script == "'sha256-zLkkCRwXnY9Po9RpPpnc0FGgkj110bMQ+s91j2btock='"


def test_page_without_index(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"index\.html"):
        Page(tmp_path)
