"""Own pages: files beside the wall, and nothing else of the machine, however a path is written."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.support.daemon import StartDaemon
from tests.support.frames import head
from tests.support.net import wait_until
from tests.support.served import Serve, in_thread


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    for name, text in {
        "index.html": "<p>index</p>",
        "floor/index.html": "<p>floor</p>",
        "floor/a b.js": "export {};" * 1000,
        ".env": "secret",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    return folder


def config(folder: Path, more: str = "") -> str:
    return f'[server]\npages = "{folder}"\n{more}'


@in_thread
def test_files_and_folders(folder: Path, serve: Serve) -> None:
    served = serve(config(folder))
    wall = served.request("GET", "/")
    index = served.request("GET", "/pages/")
    assert (index.status, index.text) == (200, "<p>index</p>")
    assert index.headers["Content-Type"] == "text/html; charset=utf-8"
    for name in ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"):
        assert index.headers[name] == wall.headers[name]
    assert served.request("GET", "/pages/index.html").text == "<p>index</p>"
    assert served.request("GET", "/pages/floor/").text == "<p>floor</p>"
    for path, location in ("/pages", "pages/"), ("/pages/floor", "./floor/"):
        answer = served.request("GET", path)
        assert (answer.status, answer.headers["Location"]) == (308, location)
    script = served.request("GET", "/pages/floor/a%20b.js", headers={"Accept-Encoding": "gzip"})
    assert script.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(script.body) == b"export {};" * 1000
    assert "javascript" in script.headers["Content-Type"]
    again = served.request("GET", "/pages/", headers={"If-None-Match": index.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    asked = served.request("HEAD", "/pages/")
    assert (asked.status, asked.body, asked.headers["Content-Length"]) == (200, b"", "12")
    assert served.request("POST", "/pages/", "x").status == 405


PATHS = [
    *(
        "/pages/nothing",
        "/pages/.env",
        "/pages/out.txt",
        "/pages//index.html",
        "/pagesx",
        "/pages/floor//",
    ),
    *("/pages/../secret.txt", "/pages/floor/../../secret.txt", "/pages/%2e%2e/secret.txt"),
    *("/pages/..%2fsecret.txt", "/pages/..%5csecret.txt", "/pages/floor/..%2f..%2f..%2fsecret.txt"),
    *(
        "/pages/%252e%252e/secret.txt",
        "/pages/index.html%00",
        "/pages/%00",
        "/pages/index.html%00.js",
    ),
    *("/pages/index.html/", "/pages/index.html.", "/pages/INDEX.HTML", "/pages/index.html::$DATA"),
    *("/pages/C:/secret.txt", "/pages/con", "/pages/%c0%ae%c0%ae/secret.txt", "/pages/%ff"),
    *("/pages/./index.html", "/pages/floor/./index.html", "/pages/~root", "/pages/index.html%20"),
]


@in_thread
def test_no_path_leads_out_of_the_folder(folder: Path, serve: Serve) -> None:
    served = serve(config(folder))
    for path in PATHS:
        answer = served.wire(head("GET", path, host=f"127.0.0.1:{served.port}")).answer()
        assert answer.status in (400, 404), path
        assert b"secret" not in answer.body.replace(b"secret.txt", b""), path


@in_thread
def test_without_a_folder_there_is_nothing(serve: Serve) -> None:
    served = serve("[server]\n")
    for path in ("/pages", "/pages/", "/pages/index.html"):
        assert served.request("GET", path).status == 404


@in_thread
def test_a_policy_of_its_own(folder: Path, serve: Serve) -> None:
    pages = f'pages = {{ folder = "{folder}", csp = "default-src \'self\' https://maps.example" }}'
    served = serve(f"[server]\n{pages}")
    policy = "default-src 'self' https://maps.example"
    assert served.request("GET", "/pages/").headers["Content-Security-Policy"] == policy
    assert served.request("GET", "/").headers["Content-Security-Policy"] != policy


@in_thread
def test_a_change_is_seen_and_a_lost_folder_keeps_the_last_files(
    folder: Path, serve: Serve
) -> None:
    served = serve(config(folder))
    tag = served.request("GET", "/pages/").headers["ETag"]
    (folder / "index.html").write_text("<p>changed</p>")
    (folder / "new.html").write_text("new")
    wait_until(lambda: served.request("GET", "/pages/").text == "<p>changed</p>")
    assert served.request("GET", "/pages/").headers["ETag"] != tag
    assert served.request("GET", "/pages/new.html").text == "new"
    (folder / "new.html").unlink()
    wait_until(lambda: served.request("GET", "/pages/new.html").status == 404)
    shutil.rmtree(folder)
    looked = served.service.own_pages._looked
    wait_until(
        lambda: served.request("GET", "/pages/") and served.service.own_pages._looked > looked
    )
    assert served.request("GET", "/pages/").text == "<p>changed</p>"


def test_the_configuration(folder: Path, start_daemon: StartDaemon) -> None:
    daemon = start_daemon(config=config(folder))
    file = daemon.folder / "streamd.toml"
    other = folder.parent / "other"
    other.mkdir()
    (other / "index.html").write_text("other")

    def change(text: str, said: str) -> None:
        before = daemon.log().count(said)
        file.write_text(text)
        os.kill(daemon.pid, signal.SIGHUP)
        wait_until(lambda: daemon.log().count(said) > before)

    change(config(other), "the configuration was read again")
    assert daemon.request("GET", "/pages/").text == "other"
    change(config(folder.parent / "missing"), ", line 2: server.pages: ")
    assert daemon.request("GET", "/pages/").text == "other"
    change("[server]\nmax_viewers = 10\n", "the configuration was read again")
    assert daemon.request("GET", "/pages/").status == 404
