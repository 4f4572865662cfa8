"""`streamd backup`: a copy of a journal in use, and what a daemon makes of it."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.support.daemon import Daemon, StartDaemon
from tests.support.net import wait_until
from tests.support.shell import complaint, run

CONFIG = """[access]
publish = "loopback"
[journal]
path = "log.db"
[streams.a]
keep = 100000
"""


def state_of(file: Path) -> tuple[str, int]:
    """What a check of the database says, and the newest `seq` of the stream a."""
    with closing(sqlite3.connect(file)) as database:
        [(check,)] = database.execute("PRAGMA integrity_check").fetchall()
        query = "SELECT max(seq) FROM updates WHERE stream = 'a'"
        [(seq,)] = database.execute(query).fetchall()
    return check, seq


def publish(daemon: Daemon, value: int) -> None:
    assert daemon.request("POST", "/streams/a", str(value)).status == 201


def more_than(done: list[int], least: int) -> bool:
    return len(done) > least + 50


@contextmanager
def writes(daemon: Daemon) -> Iterator[list[int]]:
    """Updates without a pause, and the numbers of those that were acknowledged."""
    done: list[int] = []
    over = Event()

    def write() -> None:
        while not over.is_set():
            publish(daemon, len(done) + 1)
            done.append(len(done) + 1)

    thread = Thread(target=write)
    thread.start()
    try:
        yield done
    finally:
        over.set()
        thread.join()


def test_copies_under_a_load_of_writes(start_daemon: StartDaemon, tmp_path: Path) -> None:
    daemon = start_daemon(config=CONFIG)
    with writes(daemon) as done:
        for number in range(3):
            copy, least = tmp_path / f"{number}.db", len(done)
            wait_until(partial(more_than, done, least))
            result = run("backup", copy, folder=daemon.folder)
            assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
            check, seq = state_of(copy)
            assert check == "ok"
            assert least <= seq <= len(done) + 1
            assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert sorted(tmp_path.glob("*.part*")) == []
    assert daemon.request("GET", "/healthz").json() == {"status": "ok"}
    assert daemon.request("GET", "/streams/a").json()["seq"] == len(done)


def test_a_daemon_on_the_copy_begins_a_new_life(start_daemon: StartDaemon, tmp_path: Path) -> None:
    daemon = start_daemon(config=CONFIG)
    publish(daemon, 1)
    copy = tmp_path / "copy.db"
    assert run("backup", copy, folder=daemon.folder).returncode == 0
    publish(daemon, 2)
    position = daemon.request("GET", "/state").headers["Streamd-Position"]
    daemon.stop()
    for file in daemon.folder.glob("log.db*"):  # docs/configuration.rst: the mark may stay
        if file.name != "log.db-told":
            file.unlink()
    shutil.copy(copy, daemon.folder / "log.db")
    daemon.start()
    assert daemon.request("GET", "/state").json() == {"a": 1}
    assert "has a new life" in daemon.log()
    publish(daemon, 3)
    lost = daemon.request("GET", f"/updates?after={position}&format=v1").json()
    assert lost["resumed"] is False
    assert daemon.request("GET", "/state").json() == {"a": 3}


@pytest.mark.parametrize("ended", ["stop", "kill"])
def test_copies_the_journal_of_a_daemon_that_is_gone(
    start_daemon: StartDaemon, tmp_path: Path, ended: str
) -> None:
    daemon = start_daemon(config=CONFIG)
    publish(daemon, 1)
    getattr(daemon, ended)()
    copy = tmp_path / "copy.db"
    told = run("backup", copy, "--journal", daemon.folder / "log.db", folder=tmp_path)
    assert (told.returncode, told.stderr) == (0, "")
    assert state_of(copy) == ("ok", 1)
    daemon.start()  # and its own journal is as it was
    assert daemon.request("GET", "/state").json() == {"a": 1}
    assert "has a new life" not in daemon.log()


def test_backup_names_the_reason_of_a_failure(tmp_path: Path) -> None:
    [line] = complaint("backup", "copy.db", folder=tmp_path)
    assert line == "cannot read streamd.toml: No such file or directory"
    config = tmp_path / "streamd.toml"
    config.write_text("")
    [line] = complaint("backup", "copy.db", folder=tmp_path)
    assert line == "journal: streamd.toml names no SQLite file; give it with --journal"
    config.write_text('[journal]\nurl = "redis://localhost"')
    assert complaint("backup", "copy.db", folder=tmp_path) == [line]
    config.write_text('[journal]\npth = "log.db"')
    [line] = complaint("backup", "copy.db", folder=tmp_path)
    assert line == "journal.pth: unknown key; did you mean path?"
    # A mistake elsewhere and a secret that is not there do not stop it.
    config.write_text(
        '[journal]\npath = "log.db"\n[access]\nadmin = [{ env = "NO" }]\n[server]\nx = 1'
    )
    [line] = complaint("backup", "copy.db", folder=tmp_path)
    assert line == "the journal cannot be copied: the file cannot be opened"
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        [line] = complaint("backup", "copy.db", folder=tmp_path)
        assert line == "the journal cannot be copied: another process has the file open"
    (tmp_path / "there.db").write_text("")
    database = sqlite3.connect(tmp_path / "foreign.db")
    with closing(database):
        database.execute("PRAGMA user_version = 7")
    at = ("--journal", "foreign.db")
    [line] = complaint("backup", "copy.db", *at, folder=tmp_path)
    assert line == "journal.path: cannot use foreign.db: it is another program's database"
    [line] = complaint("backup", "there.db", folder=tmp_path)
    assert line == "cannot write there.db: File exists"
    [line] = complaint("backup", "no/copy.db", folder=tmp_path)
    assert line == "cannot write no/copy.db: No such file or directory"
    assert not (tmp_path / "copy.db").exists()


def test_the_folder_of_systemd_is_the_default(start_daemon: StartDaemon, tmp_path: Path) -> None:
    daemon = start_daemon(
        config='[access]\npublish = "loopback"', env={"STATE_DIRECTORY": str(tmp_path)}
    )
    publish(daemon, 1)
    at = {"STATE_DIRECTORY": str(tmp_path)}
    assert run("backup", tmp_path / "copy.db", folder=daemon.folder, **at).returncode == 0
    assert state_of(tmp_path / "copy.db") == ("ok", 1)
