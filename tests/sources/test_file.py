"""Files that grow, on every viewer: lines, patterns, rotation, restarts, and their bad days."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from twisted.internet.defer import Deferred, maybeDeferred, succeed

from streamd.config.kind import Surroundings
from streamd.journals.memory import MemoryJournal
from streamd.reactor.worker import Worker
from streamd.sources.file import KIND, FileSettings, FileSource
from tests.support.daemon import StartDaemon
from tests.support.served import Serve, in_thread
from tests.support.source import SourceTestCase
from tests.support.sources_page import pasted
from tests.support.streams import Streams, mistake

SOON = "every = '50ms'\nexpect = '1m'\n"


def append(path: Path, *lines: Any) -> None:
    with path.open("a") as file:
        file.writelines(
            f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines
        )


def table(name: str, file: Path | str, more: str = "") -> str:
    return f"[sources.{name}]\nfile = {json.dumps(str(file))}\n{SOON}{more}\n"


@in_thread
def test_lines(serve: Serve, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    append(log, *range(150), "done", {"orders": 3, "open": True})
    kept = "[streams.last]\nkeep = 1\n[streams.log]\nkeep = 101\n"
    streams = Streams(serve(table("log", log) + table("last", log) + kept))
    streams.expect("log", "done")
    streams.expect("log.orders", 3)
    assert streams.history("log") == [*range(51, 150), "done"]
    append(log, "7", "7", {"orders": 4})
    streams.expect("log.orders", 4)
    assert streams.history("log")[-3:] == ["done", 7, 7]
    log.write_bytes(log.read_bytes() + b"caf\xe9\n")
    streams.expect("log", "caf�")


@in_thread
def test_patterns(serve: Serve, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    pattern = r"pattern = '(?P<host>\S+) (?P<status>\d{3}) (?P<ms>[\d.]+)?'"
    streams = Streams(
        serve(
            table("all", log, pattern)
            + table("by", log, pattern + '\nkey = "host"')
            + table("whole", log, pattern + "\nwhole = true")
        )
    )
    assert streams.expect_health("all", "failed") == "no file is called access.log"
    append(log, "web-1 200 1.5", "nothing of interest", "web-2 404 ")
    streams.expect("all.status", 404)
    streams.expect("by.web-1.ms", 1.5)
    streams.expect("by.web-2.status", 404)
    streams.expect("whole", {"host": "web-2", "status": 404})
    assert streams.health("all.ms") == ("fresh", None)
    assert "by.web-2.ms" not in streams.all()


@in_thread
def test_times(serve: Serve, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    append(log, {"at": "2026-01-02T03:04:05Z", "n": 1})
    streams = Streams(serve(table("log", log, 'time = "at"')))
    streams.expect("log.n", 1)
    assert streams.all()["log.n"]["time"] == 1767323045
    append(log, {"at": "soon", "n": 2})
    error = "column at: 'soon' is no time"
    assert error in (streams.expect_health("log", "failed") or "")
    append(log, {"at": 1767323046, "n": 3})
    streams.expect("log.n", 3)
    streams.expect_health("log.n", "fresh")


@in_thread
def test_one_bad_value_is_a_failure_of_its_stream_alone(serve: Serve, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    append(log, {"a": 1, "b": 1})
    streams = Streams(serve(table("log", log)))
    streams.expect("log.b", 1)
    append(log, {"a": 2, "b": "x" * 65_536}, "{'rubbish'")
    streams.expect("log", "{'rubbish'")
    assert streams.value("log.a") == 2
    assert streams.health("log.a") == ("fresh", None)
    assert streams.expect_health("log.b", "failed") == "a value may have 64 KiB of JSON text"
    append(log, {"a": 3})
    streams.expect("log.a", 3)
    streams.expect_health("log.b", "failed")
    append(log, {"b": 4})
    streams.expect("log.b", 4)
    streams.expect_health("log.b", "fresh")


@in_thread
def test_a_flood_keeps_the_newest_of_each_stream(serve: Serve, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    served = serve(table("log", log) + "[streams.log.n]\nkeep = 10000\n")
    streams = Streams(served)
    streams.expect_health("log", "failed")
    append(log, {"rare": 1}, *({"n": n} for n in range(30_000)))
    streams.expect("log.n", 29_999)
    assert streams.value("log.rare") == 1
    numbers = streams.history("log.n")
    assert numbers == sorted(set(numbers))
    assert 29_000 in numbers


@in_thread
def test_a_slow_pattern_fails_its_own_source_alone(serve: Serve, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    append(log, "xxy", "x" * 50)
    pattern = "pattern = '(?P<word>(x+x+)+y)'"
    streams = Streams(serve(table("slow", log, pattern) + table("fine", log)))
    streams.expect("fine", "x" * 50)
    streams.expect("slow.word", "xxy")
    error = streams.expect_health("slow", "failed")
    assert error == "slow: the pattern took longer than 1 s for a line"
    append(log, "xxxy")
    streams.expect("slow.word", "xxxy")
    assert streams.health("fine") == ("fresh", None)


@in_thread
def test_a_file_that_is_lost_is_a_failure_until_it_is_back(serve: Serve, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    log = folder / "app.log"
    streams = Streams(serve(table("log", folder / "*.log")))
    assert streams.expect_health("log", "failed") == "there is no folder logs"
    folder.mkdir()
    append(log, "1")
    streams.expect("log", 1)
    streams.expect_health("log", "fresh")
    folder.rename(tmp_path / "away")
    assert streams.expect_health("log", "failed") == "there is no folder logs"
    (tmp_path / "away").rename(folder)
    streams.expect_health("log", "fresh")
    (folder / "bad.log").symlink_to(folder / "bad.log")
    error = streams.expect_health("log", "failed")
    assert error == "bad.log: too many levels of symbolic links"
    append(log, "2")
    streams.expect("log", 2)
    assert streams.history("log") == [1, 2]


def numbered(log: Path, numbers: Iterable[int]) -> None:
    append(log, *({f"n{number % 2}": number} for number in numbers))


def test_each_line_once_over_restarts_and_rotations(
    start_daemon: StartDaemon, tmp_path: Path
) -> None:
    log = tmp_path / "app.log"
    numbered(log, range(10))
    journal = f'[journal]\npath = "{tmp_path}/log.db"\n'
    keep = "[streams]\nlog.n0 = { keep = 1000 }\nlog.n1 = { keep = 1000 }\n"
    daemon = start_daemon(config=journal + table("log", log) + keep)
    streams = Streams(daemon)
    streams.expect("log.n1", 9)
    daemon.kill()
    numbered(log, range(10, 15))
    log.rename(tmp_path / "app.log.1")
    numbered(log, [15])
    daemon.start()
    streams.expect("log.n1", 15)
    daemon.kill()
    os.truncate(log, 0)
    numbered(log, [16, 17, 18])
    daemon.start()
    streams.expect("log.n0", 18)
    daemon.kill()
    daemon.start()
    # Nothing is new: the values from before are proved.
    streams.expect_health("log.n0", "fresh")
    streams.expect_health("log.n1", "fresh")
    numbered(log, [19])
    streams.expect("log.n1", 19)
    assert streams.history("log.n0") == list(range(0, 20, 2))
    assert streams.history("log.n1") == list(range(1, 20, 2))
    assert streams.health("log.n0") == ("fresh", None)


def test_the_page_of_sources(start_daemon: StartDaemon, tmp_path: Path) -> None:
    daemon = start_daemon(config=pasted("file"))
    streams = Streams(daemon)
    streams.expect_health("web", "failed")
    (daemon.folder / "logs").mkdir()
    line = '203.0.113.7 - - [30/Nov/2026:10:00:00 +0000] "GET /shop HTTP/1.1" {} 512 0.012'
    append(daemon.folder / "logs/access.log", line.format(200), line.format(500))
    append(daemon.folder / "jobs.jsonl", {"job": "backup", "at": 1796032800, "seconds": 12.5})
    streams.expect("web.status", 500)
    streams.expect("web.took", 0.012)
    streams.expect("jobs.backup.seconds", 12.5)
    assert streams.all()["jobs.backup.seconds"]["time"] == 1796032800


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('file = ""', 'file: expected a path such as "/var/log/shop/*.log"'),
        (
            'file = "a"\npattern = "("',
            "pattern: expected a regular expression of Python (missing ), unterminated"
            " subpattern at position 0)",
        ),
        (
            'file = "a"\npattern = "a"',
            r'pattern: expected named groups, such as "(?P<status>\d+) (?P<ms>\d+)"',
        ),
        ('file = "a"\npattern = "(?P<a>.)"\nkey = "b"', "key: the pattern has no group b"),
        (
            'file = "a"\nkey = "b"\nwhole = true',
            "key: makes a stream for each member, and whole = true makes one",
        ),
    ],
)
def test_mistakes(lines: str, expected: str) -> None:
    assert mistake(f"[sources.log]\n{lines}") == f"sources.log.{expected}"


class ResumeTests(SourceTestCase):
    """Lines that were written while no daemon ran, and a journal that takes its time."""

    def setUp(self) -> None:
        super().setUp()
        self.slow = False
        self.steps: list[Deferred[None]] = []  # what the journal has begun to store
        self.patch(MemoryJournal, "_store", lambda journal, batch: self.store())
        self.patch(Worker, "run", lambda worker, call, *about: maybeDeferred(call, *about))
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.log = Path(folder.name) / "app.log"

    def store(self) -> Deferred[None]:
        if not self.slow:
            return succeed(None)
        self.steps.append(Deferred())
        return self.steps[-1]

    def start(self) -> FileSource:
        settings = FileSettings(file=str(self.log))
        around = Surroundings(self.daemon.clock, self.log.parent, self.daemon.times.now)
        source: FileSource = KIND.make("shop", settings, around)
        feed = self.daemon.feed(every=1.0)
        self.successResultOf(feed.adopt())
        source.start(feed)
        return source

    def test_old_values_are_current_only_after_what_was_written_meanwhile(self) -> None:
        append(self.log, {"a": 1, "b": 1})
        self.start().stop()
        self.daemon.clock.advance(100)
        self.daemon.restart()
        append(self.log, {"a": 2})
        self.slow = True
        self.addCleanup(self.start().stop)
        self.assertEqual(["late", "late"], [self.health(name)[0] for name in ("shop.a", "shop.b")])
        self.slow = False
        while self.steps:
            self.steps.pop(0).callback(None)
        self.assertEqual({"shop.a": 2, "shop.b": 1}, self.daemon.values())
        self.assertEqual([("fresh", None)] * 2, [self.health("shop.a"), self.health("shop.b")])
