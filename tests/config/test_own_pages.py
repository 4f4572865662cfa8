"""The folder of own pages: what the setting may say, and which files are read."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from pathlib import Path

import pytest

from streamd.config import own_pages
from streamd.config.own_pages import OwnPages, read_pages


def test_the_setting() -> None:
    assert OwnPages.parse("site") == OwnPages("site")
    told = {"folder": "site", "csp": " default-src 'self' "}
    assert OwnPages.parse(told) == OwnPages("site", "default-src 'self'")


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", 'expected a folder such as "pages"'),
        (7, "expected a folder"),
        ("a\0b", "expected a folder"),
        ({"csp": "x"}, "expected a folder"),
        ({"folder": "a", "cps": "x"}, "unknown key cps; there are folder, csp"),
        ({"folder": "a", "csp": ""}, "csp: expected"),
        ({"folder": "a", "csp": "default-src *\r\nSet-Cookie: a=b"}, "csp: expected"),
        ({"folder": "a", "csp": "é"}, "csp: expected"),
    ],
)
def test_mistakes(written: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        OwnPages.parse(written)


def test_which_files_are_read(tmp_path: Path) -> None:
    folder, outside = tmp_path / "pages", tmp_path / "outside"
    for name in ("a.html", "floor/2/b.js", ".git/config", "floor/.env", "größe.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    (folder / "inside.html").symlink_to("a.html")
    (folder / "outside.txt").symlink_to(outside / "secret.txt")
    (folder / "up").symlink_to(outside)
    (folder / "hidden.txt").symlink_to(".git/config")
    (folder / "nowhere").symlink_to("nothing")
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    with closing(socket.socket(socket.AF_UNIX)) as end:
        end.bind(os.path.relpath(folder / "socket"))  # a longer path may be too long
    found = read_pages(folder)
    assert {name: file.body.decode() for name, file in found.items()} == {
        "a.html": "a.html",
        "floor/2/b.js": "floor/2/b.js",
        "größe.txt": "größe.txt",
        "inside.html": "a.html",
    }


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.html").write_text("a")
    (tmp_path / "pages").symlink_to("real")
    assert [*read_pages(tmp_path / "pages")] == ["a.html"]


def test_files_that_did_not_change_are_not_read_again(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text("old")
    first = read_pages(tmp_path)
    (tmp_path / "b").write_text("newer")
    second = read_pages(tmp_path, first)
    assert second["a"] is first["a"]
    assert second["b"].body == b"newer"
    assert second["b"].tag != first["b"].tag


def test_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        (tmp_path / name).write_text("12345")
    monkeypatch.setattr(own_pages, "MAX_FILES", 2)
    with pytest.raises(ValueError, match="has more than 2 files"):
        read_pages(tmp_path)
    monkeypatch.setattr(own_pages, "MAX_BYTES", 9)
    with pytest.raises(ValueError, match="has more than 0 MiB"):
        read_pages(tmp_path)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pages cannot be read: No such file or directory"):
        read_pages(tmp_path / "pages")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="file cannot be read: Not a directory"):
        read_pages(tmp_path / "file")
