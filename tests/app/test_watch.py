"""A file that is saved, in one step or in several."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from streamd.app.watch import LOOK_EVERY, FileWatch


class Watched:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "streamd.toml"
        self.file.write_text("1")
        self.clock = Clock()
        self.calls = 0
        self.watch = FileWatch(self.file, self.changed, self.clock)
        self.watch.start()
        self.written = 0

    def changed(self) -> None:
        self.calls += 1

    def write(self, text: str) -> None:
        """Write, at another time by the file's clock: those of some disks are coarse."""
        self.file.write_text(text)
        self.written += 1
        os.utime(self.file, (self.written, self.written))

    def look(self) -> int:
        """How often it was called, after one more look."""
        self.clock.advance(LOOK_EVERY)
        return self.calls


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_it_is_called_once_after_the_file_was_left_alone(watched: Watched) -> None:
    assert [watched.look(), watched.look()] == [0, 0]
    watched.write("2")
    assert [watched.look(), watched.look(), watched.look()] == [0, 1, 1]


def test_a_file_that_is_written_in_parts_is_waited_for(watched: Watched) -> None:
    for part in ("2", "22", "222"):
        watched.write(part)
        assert watched.look() == 0
    assert watched.look() == 1


def test_an_editor_that_replaces_the_file_makes_one_change(watched: Watched) -> None:
    watched.file.unlink()
    assert watched.look() == 0
    watched.write("2")
    assert [watched.look(), watched.look(), watched.look()] == [0, 1, 1]


def test_a_file_that_has_vanished_has_changed(watched: Watched) -> None:
    watched.file.unlink()
    assert [watched.look(), watched.look(), watched.look()] == [0, 1, 1]


def test_what_is_known_already_is_no_change(watched: Watched) -> None:
    watched.write("2")
    watched.watch.note()
    assert [watched.look(), watched.look()] == [0, 0]


def test_it_stops(watched: Watched) -> None:
    watched.write("2")
    watched.watch.stop()
    assert [watched.look(), watched.look()] == [0, 0]
    assert watched.clock.getDelayedCalls() == []
