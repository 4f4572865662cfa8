"""Picture files below the folder of the configuration."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streamd.config.picture_file import ATTEMPTS, PictureName, look_at
from tests.support.pictures import JPEG, png


@pytest.mark.parametrize("name", ["plan.png", "plans/floor 2.png", "a..b.png"])
def test_names(name: str) -> None:
    assert PictureName.parse(name) == name


@pytest.mark.parametrize(
    "name", ["", "/etc/plan.png", "../plan.png", "a/../../b", ".", "a\0b", 5, None]
)
def test_names_of_other_places(name: object) -> None:
    with pytest.raises(ValueError, match="below the folder of the configuration"):
        PictureName.parse(name)


def test_file_is_read_again_only_after_a_change(tmp_path: Path) -> None:
    file = tmp_path / "plan.png"
    file.write_bytes(png())
    os.utime(file, (100, 100))
    first = look_at(tmp_path, "plan.png")
    assert (first.picture.kind, first.written) == ("image/png", 100.0)
    assert look_at(tmp_path, "plan.png", first) is first
    file.write_bytes(JPEG)
    assert look_at(tmp_path, "plan.png", first).picture.body == JPEG


def test_file_that_is_being_written_gets_more_time(tmp_path: Path) -> None:
    file = tmp_path / "still.jpg"
    file.write_bytes(JPEG[:-2])

    def finish(pause: float) -> None:
        file.write_bytes(JPEG)

    assert look_at(tmp_path, "still.jpg", sleep=finish).picture.body == JPEG
    file.write_bytes(JPEG[:-2])
    pauses: list[float] = []
    with pytest.raises(ValueError, match=r"^still\.jpg is not complete$"):
        look_at(tmp_path, "still.jpg", sleep=pauses.append)
    assert len(pauses) == ATTEMPTS - 1


def test_reasons(tmp_path: Path) -> None:
    def reason(name: str) -> str:
        with pytest.raises(ValueError) as error:  # noqa: PT011
            look_at(tmp_path, name, sleep=lambda _: None)
        return str(error.value)

    assert reason("plan.png") == "plan.png cannot be read: No such file or directory"
    os.mkfifo(tmp_path / "pipe.png")
    assert reason("pipe.png") == "pipe.png is no file"
    (tmp_path / "streamd.toml").write_text("[access]")
    assert reason("streamd.toml") == "streamd.toml is no PNG, JPEG, WebP or SVG"
