"""Each line of a file is read once, whatever happens to the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from streamd.sources.errors import SourceError
from streamd.sources.files import tail
from streamd.sources.files.tail import CALM, CHUNK, FIRST, MAX_FILES, Mark, Tail

NOBODY = 65534


class Follower:
    """A tail with its places: what a source keeps."""

    def __init__(self, pattern: Path) -> None:
        self.pattern = pattern
        self.marks: dict[str, Mark] | None = None
        self.now = 0.0
        self.restart()

    def restart(self) -> None:
        """As after a restart of the daemon: nothing stays but the places."""
        self.tail = Tail(str(self.pattern))

    def read(self) -> list[bytes]:
        """All lines that are new."""
        lines: list[bytes] = []
        more = True
        while more:
            found, self.marks, more, self.problem = self.tail.look(self.marks, self.now)
            lines += found
        return lines


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


@pytest.fixture
def follower(log: Path) -> Iterator[Follower]:
    """One that has read an empty file."""
    log.write_bytes(b"")
    follower = Follower(log)
    assert follower.read() == []
    yield follower
    follower.tail.close()


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_lines(log: Path, follower: Follower) -> None:
    append(log, b"one\n\ntwo\r\nthr")
    assert follower.read() == [b"one", b"two"]
    assert follower.read() == []
    append(log, b"ee\n")
    follower.restart()
    assert follower.read() == [b"three"]


def test_a_file_that_is_renamed_is_read_to_its_end(log: Path, follower: Follower) -> None:
    append(log, b"one\n")
    old = log.rename(log.with_suffix(".1"))
    assert follower.read() == [b"one"]
    assert follower.problem == "no file is called app.log"
    log.write_bytes(b"three\n")
    append(old, b"two\nlast")
    assert follower.read() == [b"two", b"three"]
    assert follower.read() == []
    follower.now += CALM
    assert follower.read() == [b"last"]
    assert follower.read() == []
    assert len(follower.marks or ()) == 1
    assert follower.problem == ""


def test_a_file_that_is_renamed_meanwhile_is_read_to_its_end(log: Path, follower: Follower) -> None:
    append(log, b"one\n")
    assert follower.read() == [b"one"]
    append(log, b"two\n")
    log.rename(log.with_suffix(".1"))
    log.write_bytes(b"three\n")
    follower.restart()
    assert follower.read() == [b"two", b"three"]


def test_a_file_stays_the_same_if_the_glob_matches_both_names(tmp_path: Path) -> None:
    follower = Follower(tmp_path / "app.log*")
    log = tmp_path / "app.log"
    log.write_bytes(b"")
    follower.read()
    append(log, b"one\n")
    assert follower.read() == [b"one"]
    log.rename(tmp_path / "app.log.1")
    log.write_bytes(b"two\n")
    assert follower.read() == [b"two"]
    follower.tail.close()


def test_a_file_that_is_truncated_begins_anew(log: Path, follower: Follower) -> None:
    append(log, b"one\n")
    assert follower.read() == [b"one"]
    os.truncate(log, 0)
    append(log, b"two\n")  # as long as what was there before
    assert follower.read() == [b"two"]
    os.truncate(log, 0)
    append(log, b"three\nfour\n")
    follower.restart()
    assert follower.read() == [b"three", b"four"]


def test_a_writer_that_does_not_append_leaves_a_hole(log: Path) -> None:
    follower = Follower(log)
    with log.open("wb", buffering=0) as writer:
        follower.read()
        writer.write(b"one\n")
        assert follower.read() == [b"one"]
        os.truncate(log, 0)
        assert follower.read() == []
        writer.write(b"two\n")
        assert follower.read() == [b"two"]
    follower.tail.close()


def test_a_file_that_is_made_again_begins_anew(log: Path, follower: Follower) -> None:
    append(log, b"one\n")
    assert follower.read() == [b"one"]
    inode = log.stat().st_ino
    for number in range(
        20
    ):  # at least one of them gets the inode, on a file system that reuses them
        follower.tail.close()
        log.unlink()
        log.write_bytes(b"line %d\n" % number)
        assert follower.read() == [b"line %d" % number]
        if log.stat().st_ino == inode:
            break


def test_of_a_first_start_only_the_end_counts(log: Path) -> None:
    log.write_bytes(b"".join(b"line %d\n" % number for number in range(20_000)))
    follower = Follower(log)
    lines = follower.read()
    assert lines[-1] == b"line 19999"
    assert lines == [b"line %d" % number for number in range(20_000 - len(lines), 20_000)]
    assert FIRST * 0.9 < sum(len(line) + 1 for line in lines) <= FIRST
    follower.tail.close()


def test_a_file_that_comes_later_is_read_whole(tmp_path: Path) -> None:
    follower = Follower(tmp_path / "*.log")
    (tmp_path / "a.log").write_bytes(b"a\n")
    assert follower.read() == [b"a"]
    (tmp_path / "b.log").write_bytes(b"b\n" * FIRST)
    assert follower.read() == [b"b"] * FIRST
    (tmp_path / "a.log").unlink()
    follower.now += CALM
    assert follower.read() == []
    follower.now += CALM
    assert follower.read() == []
    assert len(follower.marks or ()) == 1
    follower.tail.close()


def test_a_line_is_bounded(log: Path, follower: Follower) -> None:
    append(log, b"x" * (CHUNK * 3) + b"\nshort\n" + b"y" * (CHUNK + 7))
    assert [len(line) for line in follower.read()] == [CHUNK, 5, CHUNK]
    append(log, b"y" * 5 + b"\nnext\n")
    assert follower.read() == [b"next"]


def test_no_byte_is_lost_at_the_end_of_a_chunk(log: Path, follower: Follower) -> None:
    lines = [b"%d" % number * (number % 60) for number in range(1, 30_000)]
    append(log, b"\n".join(lines) + b"\n")
    assert follower.read() == [line for line in lines if line]


def test_a_busy_file_leaves_room_for_the_others(tmp_path: Path) -> None:
    follower = Follower(tmp_path / "*.log")
    assert follower.read() == []
    for name in "abcdefgh":
        (tmp_path / f"{name}.log").write_bytes(b"busy\n" * CHUNK)
    (tmp_path / "quiet.log").write_bytes(b"quiet\n")
    lines: list[bytes] = []
    looks = 0
    while b"quiet" not in lines:
        lines, follower.marks, _, _ = follower.tail.look(follower.marks, 0.0)
        assert len(lines) * 5 <= tail.ROOM + CHUNK
        looks += 1
        assert looks <= 9
    follower.tail.close()


def test_permission() -> None:
    root = os.geteuid() == 0
    with TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        log = Path(folder, "app.log")
        log.write_bytes(b"one\n")
        log.chmod(0o600)
        follower = Follower(log)
        assert follower.read() == [b"one"]
        append(log, b"two\n")
        try:
            os.seteuid(NOBODY) if root else log.chmod(0)
            for _ in range(3):
                assert follower.read() == ([b"two"] if not follower.now else [])
                assert follower.problem == "app.log: permission denied"
                follower.now += CALM
            follower.restart()
            assert follower.read() == []
            assert follower.problem == "app.log: permission denied"
        finally:
            os.seteuid(0) if root else log.chmod(0o600)
        append(log, b"three\n")
        assert follower.read() == [b"three"]
        assert follower.problem == ""
        follower.tail.close()


def test_problems(tmp_path: Path) -> None:
    follower = Follower(tmp_path / "logs" / "app.log")
    assert follower.read() == []
    assert follower.problem == "there is no folder logs"
    (tmp_path / "logs").mkdir()
    assert follower.read() == []
    assert follower.problem == "no file is called app.log"
    follower.pattern.mkdir()
    follower.read()
    assert follower.problem == "app.log: not a regular file"
    follower.pattern.rmdir()
    os.mkfifo(follower.pattern)
    follower.read()
    assert follower.problem == "app.log: not a regular file"
    follower.pattern.unlink()
    follower.pattern.write_bytes(b"one\n")
    assert follower.read() == [b"one"]
    assert follower.problem == ""
    follower.tail.close()


def test_too_many_files(tmp_path: Path) -> None:
    for number in range(MAX_FILES + 1):
        (tmp_path / f"{number}.log").touch()
    follower = Follower(tmp_path / "*.log")
    with pytest.raises(SourceError, match=f"more than {MAX_FILES} files match"):
        follower.read()


def test_a_disk_with_another_number_is_the_same_disk(log: Path, follower: Follower) -> None:
    append(log, b"one\n")
    follower.read()
    assert follower.marks is not None
    [(id, mark)] = follower.marks.items()
    follower.marks = {f"99{id}": mark}
    follower.restart()
    assert follower.read() == []
    assert list(follower.marks) == [id]
