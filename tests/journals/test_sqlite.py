"""The log in a file, and what can be wrong with a file, a disk, a second daemon: with real ones."""

from __future__ import annotations

import json
import os
import re
import resource
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets import Subprotocol
from websockets.sync.client import ClientConnection, connect

from streamd.core.update import Draft
from streamd.journals import file_format, sqlite
from streamd.journals.journal import Away, Key, SourceCursor, Unusable
from streamd.journals.log_file import LogFile
from streamd.journals.sqlite import SqliteJournal
from tests.journals.test_journal import Log, Sqlite, refusal, sleep
from tests.support.daemon import TWISTD, Daemon, StartDaemon, finish_all
from tests.support.net import free_port, wait_until
from tests.support.served import Serve, in_thread
from tests.support.streams import Streams
from tests.support.tidy import LoggedErrors

V1 = Subprotocol("streamd.v1")
LARGE = json.dumps("x" * 60_000)

TICKS = """
[sources.ticks]
command = ["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done"]
"""


def config(file: Path | str, more: str = "") -> str:
    return f'[access]\npublish = "loopback"\n[journal]\npath = "{file}"\n{more}'


def publish(daemon: Daemon, name: str, value: object) -> int:
    return daemon.request("POST", f"/streams/{name}", json.dumps(value)).status


def complaint(folder: Path, text: str) -> Any:
    """The one line that a daemon ends with that cannot start, without the place in the file."""
    (folder / "streamd.toml").write_text(text)
    command = [str(TWISTD), "-n", "--pidfile=", "streamd", "--config", "streamd.toml"]
    command += ["--port", f"tcp:{free_port()}:interface=127.0.0.1"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    [line] = run.stderr.splitlines()
    return re.sub(r" \(streamd\.toml, line [0-9]+\)$", "", line.removeprefix("streamd: "))


class Disk:
    """A small file system of its own; without the right to mount one, a limit of the process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
        self.mounted = os.geteuid() == 0 and subprocess.run(command, check=False).returncode == 0
        self.reason = "the disk is full" if self.mounted else "the disk gives errors"
        self._filling = folder / "filling"

    def fill(self, daemon: Daemon) -> None:
        if not self.mounted:
            size = max(file.stat().st_size for file in self.folder.iterdir())
            resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            return
        with self._filling.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass

    def empty(self, daemon: Daemon) -> None:
        limits = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        with suppress(ProcessLookupError):
            resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, limits)
        self.folder.chmod(0o755)
        self._filling.unlink(missing_ok=True)

    def block(self, daemon: Daemon) -> None:
        """No other file can be made; until it is emptied."""
        if self.mounted:
            self.fill(daemon)
        else:
            self.folder.chmod(0o555)

    def make_read_only(self) -> None:
        if self.mounted:
            subprocess.run(["mount", "-o", "remount,ro", str(self.folder)], check=True)
        else:
            for path in (*self.folder.iterdir(), self.folder):
                path.chmod(0o555)

    def end(self) -> None:
        if self.mounted:
            subprocess.run(["umount", str(self.folder)], check=True)
        else:
            self.folder.chmod(0o755)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    (tmp_path / "disk").mkdir()
    made = Disk(tmp_path / "disk")
    try:
        yield made
    finally:
        made.end()


class Viewer:
    """One that keeps what it was told of the journal."""

    def __init__(self, socket: ClientConnection) -> None:
        self.journal: dict[str, Any] = {}
        self._socket = socket

    def hear(self) -> None:
        try:
            message = json.loads(self._socket.recv(timeout=0.05))
        except TimeoutError:
            return
        if message["type"] == "journal":
            self.journal = message

    def wait_until(self, state: str) -> None:
        def heard() -> bool:
            self.hear()
            return bool(self.journal.get("state") == state)

        wait_until(heard, 20, f"journal {state}")


class TestKept:
    def test_all_is_there_after_a_restart(self, start_daemon: StartDaemon) -> None:
        daemon = start_daemon(config=config("log.db"))
        assert publish(daemon, "a", 1) == publish(daemon, "a", 2) == publish(daemon, "b", 3) == 201
        before = daemon.request("GET", "/state")
        for end in (daemon.stop, daemon.kill):
            end()
            daemon.start()
            again = daemon.request("GET", "/state")
            assert again.json() == before.json() == {"a": 2, "b": 3}
            assert again.headers["Streamd-Position"] == before.headers["Streamd-Position"]
            told = daemon.request("GET", "/streams/a?history=9").json()
            assert [update["value"] for update in told["history"]] == [1, 2]
            assert told["health"]["state"] == "late"
        assert publish(daemon, "a", 3) == 201
        told = daemon.request("GET", "/streams/a").json()
        assert (told["seq"], told["health"]["state"]) == (3, "fresh")
        assert (daemon.folder / "log.db").exists()

    def test_in_the_folder_that_systemd_gives(
        self, start_daemon: StartDaemon, tmp_path: Path
    ) -> None:
        daemon = start_daemon(env={"STATE_DIRECTORY": f"{tmp_path}:/elsewhere"})
        assert publish(daemon, "a", 1) == 201
        daemon.kill()
        assert (tmp_path / "streamd.db").exists()
        daemon.start()
        assert daemon.request("GET", "/state").json()["a"] == 1

    def test_in_memory_if_configured_so(self, start_daemon: StartDaemon, tmp_path: Path) -> None:
        text = '[access]\npublish = "loopback"\n[journal]\nkind = "memory"\n'
        daemon = start_daemon(config=text, env={"STATE_DIRECTORY": str(tmp_path)})
        assert publish(daemon, "a", 1) == 201
        assert list(tmp_path.iterdir()) == []


class TestDisk:
    def test_full(self, disk: Disk, start_daemon: StartDaemon) -> None:
        daemon = start_daemon(config=config(disk.folder / "log.db", TICKS))
        assert publish(daemon, "a", 1) == 201
        with connect(f"{daemon.ws_url}/ws", subprotocols=[V1]) as socket:
            self.fill_and_empty(daemon, disk, Viewer(socket))

    def fill_and_empty(self, daemon: Daemon, disk: Disk, viewer: Viewer) -> None:
        disk.fill(daemon)
        accepted = 1
        while (answer := daemon.request("POST", "/streams/a", LARGE)).status == 201:
            accepted += 1
        assert answer.status == 503
        assert answer.json()["error"] == {"code": "journal-away", "message": disk.reason}
        assert int(answer.headers["Retry-After"]) > 0
        viewer.wait_until("away")
        assert viewer.journal["error"] == disk.reason
        # Reading goes on; what a source says is not shown as current.
        told = wait_until(
            lambda: (s := daemon.request("GET", "/streams/ticks").json())["health"]["error"] and s
        )
        assert (told["health"]["state"], told["health"]["error"]) == ("failed", disk.reason)
        assert daemon.request("GET", "/streams/a").json()["seq"] == accepted
        disk.empty(daemon)
        viewer.wait_until("ok")
        assert publish(daemon, "a", "more") == 201
        wait_until(
            lambda: daemon.request("GET", "/streams/ticks").json()["health"]["error"] is None
        )
        daemon.kill()
        daemon.start()
        assert daemon.request("GET", "/streams/a").json()["seq"] == accepted + 1

    def test_full_at_the_start(self, disk: Disk, start_daemon: StartDaemon) -> None:
        daemon = start_daemon(config=config(disk.folder / "log.db"))
        publish(daemon, "a", 1)
        daemon.stop()
        if disk.mounted:  # a limit is one of a process that runs
            disk.fill(daemon)
        daemon.start()
        if not disk.mounted:
            disk.fill(daemon)
        assert daemon.request("GET", "/state").json() == {"a": 1}
        assert daemon.request("POST", "/streams/a", LARGE).status == 503
        disk.empty(daemon)
        wait_until(lambda: publish(daemon, "a", 2) == 201)

    def test_read_only_at_the_start(self, disk: Disk, start_daemon: StartDaemon) -> None:
        file = disk.folder / "log.db"
        daemon = start_daemon(config=config(file))
        publish(daemon, "a", 1)
        daemon.stop()
        disk.make_read_only()
        line = complaint(daemon.folder, config(file))
        assert line == f"journal.path: cannot use {file}: it is read-only"

    @in_thread
    def test_read_only(self, serve: Serve, tmp_path: Path) -> None:
        served = serve(config(tmp_path / "log.db"))
        served.post("a", 1)
        journal = served.service.journal
        assert isinstance(journal, SqliteJournal)
        journal._file._run("PRAGMA query_only = ON")  # SQLite then says what it says of such a disk
        answer = served.request("POST", "/streams/a", "2")
        assert (answer.status, answer.json()["error"]["message"]) == (503, "the disk is read-only")
        assert "Retry-After" in answer.headers
        assert served.state() == {"a": 1}
        journal._file._run("PRAGMA query_only = OFF")
        wait_until(lambda: served.request("POST", "/streams/a", "2").status == 201)
        assert served.request("GET", "/streams/a").json()["seq"] == 2


TWISTD_WITH = """#!{python}
import sqlite3
import time
from pathlib import Path
from streamd.journals.log_file import LogFile
from twisted.scripts.twistd import run

def write(file, batch, write=LogFile.write):
    while Path("hangs").exists():
        Path("hung").touch()
        time.sleep(0.01)
    if Path("damaged").exists():
        Path("damaged").unlink()
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorname = "SQLITE_CORRUPT"
        raise error
    write(file, batch)

LogFile.write = write
run()
"""


@pytest.fixture
def start_with(tmp_path: Path) -> Iterator[Callable[[str], Daemon]]:
    """Starts a daemon in `tmp_path` whose disk hangs while there is a file `hangs`, and is damaged
    once there is one that is called so."""
    started: list[Daemon] = []

    def start(text: str) -> Daemon:
        twistd = tmp_path / "twistd"
        twistd.write_text(TWISTD_WITH.format(python=sys.executable))
        twistd.chmod(0o755)
        started.append(Daemon(tmp_path, config=text, twistd=twistd))
        started[-1].start()
        return started[-1]

    yield start
    finish_all(started)


class Hang:
    """A disk that does not answer, for as long as is wished: the writer's thread stands still."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch, self._hung = patch, sqlite.HUNG
        self._answers = threading.Event()
        self._answers.set()
        write = LogFile.write

        def wait(file: LogFile, batch: Any) -> None:
            assert self._answers.wait(60)
            write(file, batch)

        patch.setattr(LogFile, "write", wait)

    def begin(self) -> None:
        self._patch.setattr(sqlite, "HUNG", 0.1)
        self._answers.clear()

    def end(self) -> None:
        self._patch.setattr(sqlite, "HUNG", self._hung)
        self._answers.set()


@pytest.fixture
def hang(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hang]:
    made = Hang(monkeypatch)
    yield made
    made.end()


class TestHung:
    async def test_what_was_asked_is_refused_and_committed_after_all(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hang: Hang
    ) -> None:
        log = file_log(tmp_path, monkeypatch)
        await log.start()
        await log.append(("a", 1), cursor=SourceCursor("s", None, "row 1"))
        await sleep(0)  # or all would go in one step
        hang.begin()
        key, cursor = Key("k", b"1"), SourceCursor("s", "row 1", "row 2")
        under_way = log.journal.append([Draft("a", b"2")], key=key, cursor=cursor)
        waiting = log.journal.append([Draft("a", b"3")])
        for asked in (under_way, waiting, log.journal.place("s")):
            assert (await refusal(asked, Away)).message == "the disk does not answer"
        await refusal(log.append(("b", 1)), Away)
        assert log.reasons == ["the disk does not answer"]
        assert [u.value for u in log.updates] == [b"1"]
        hang.end()
        while log.reasons[-1] is not None:
            await sleep(0.01)
        await log.append(("a", 4))
        [again] = await log.append(("a", 2), key=key)
        assert (again.seq, await log.journal.place("s")) == (2, "row 2")
        assert [(u.seq, u.value) for u in log.updates] == [(1, b"1"), (2, b"2"), (3, b"4")]
        await log.restart()
        assert log.held == log.updates
        await log.journal.stop()

    @in_thread
    def test_clients_walls_and_monitors_see_it(
        self, serve: Serve, tmp_path: Path, hang: Hang
    ) -> None:
        served = serve(config(tmp_path / "log.db", TICKS))
        served.post("a", 1)
        wait_until(lambda: served.state().get("ticks"))
        with connect(f"ws://127.0.0.1:{served.port}/ws", subprotocols=[V1]) as socket:
            viewer = Viewer(socket)
            hang.begin()
            answer = served.request("POST", "/streams/a", "2")
            assert answer.status == 503
            assert answer.json()["error"]["message"] == "the disk does not answer"
            assert "Retry-After" in answer.headers
            viewer.wait_until("away")
            assert viewer.journal["error"] == "the disk does not answer"
            ticks = Streams(served)
            assert ticks.expect_health("ticks", "failed") == "the disk does not answer"
            assert served.state()["a"] == 1
            hang.end()
            viewer.wait_until("ok")
        wait_until(
            lambda: served.request("GET", "/streams/ticks").json()["health"]["error"] is None
        )
        assert served.request("POST", "/streams/a", "3").status == 201
        told = served.request("GET", "/streams/a?history=9").json()
        values = [update["value"] for update in told["history"]]
        assert values in ([1, 3], [1, 2, 3])  # what was refused may have been under way
        ticks = served.request("GET", "/streams/ticks?history=99").json()
        seqs = [update["seq"] for update in ticks["history"]]
        assert seqs == list(range(1, len(seqs) + 1))

    def test_it_ends_in_time_and_says_so(
        self, start_with: Callable[[str], Daemon], tmp_path: Path
    ) -> None:
        daemon = start_with(config("log.db", TICKS))
        assert publish(daemon, "a", 1) == 201
        wait_until(lambda: daemon.request("GET", "/state").json().get("ticks"))
        (tmp_path / "hangs").touch()
        with ThreadPoolExecutor() as publisher:  # whoever publishes now waits for an answer
            publishing = publisher.submit(publish, daemon, "a", 2)
            wait_until((tmp_path / "hung").exists)
            assert daemon.stop() == 0
            publishing.exception()
        assert "the journal could not be closed: the disk does not answer" in daemon.log()
        (tmp_path / "hangs").unlink()
        daemon.start()
        assert daemon.request("GET", "/state").json()["a"] == 1


class TestDamaged:
    @pytest.mark.parametrize("how", ["pages", "head", "cut"])
    def test_at_the_start(self, start_daemon: StartDaemon, how: str) -> None:
        daemon = start_daemon(config=config("log.db"))
        for number in range(50):
            publish(daemon, f"s{number}", "x" * 5000)
        at = daemon.request("GET", "/state").headers["Streamd-Position"]
        daemon.stop()
        file = daemon.folder / "log.db"
        data = file.read_bytes()
        damaged = {
            "pages": data[:20_000] + os.urandom(100_000) + data[120_000:],
            "head": b"no database, whatever its name says" + data[35:],
            "cut": data[: len(data) // 2],
        }[how]
        file.write_bytes(damaged)
        daemon.start()
        assert daemon.request("GET", "/state").json() == {}
        aside = min(daemon.folder.glob("log.db.damaged-*"))  # and what belongs to it
        assert aside.read_bytes() == damaged
        assert "streamd.journals.sqlite.SqliteJournal#critical" in daemon.log()
        assert aside.name in daemon.log()
        query = f"/updates?after={at}&wait=0"
        assert publish(daemon, "s1", 1) == 201
        assert daemon.request("GET", query).json()["resumed"] is False
        with connect(f"{daemon.ws_url}/ws", subprotocols=[V1]) as viewer:
            told = json.loads(viewer.recv(timeout=20))["journal"]
        assert (told["state"], told["error"]) == ("ok", sqlite.LOST)
        daemon.restart()
        assert daemon.request("GET", "/state").json() == {"s1": 1}

    def test_while_it_runs_and_no_room_for_another(
        self, disk: Disk, start_with: Callable[[str], Daemon], tmp_path: Path
    ) -> None:
        daemon = start_with(config(disk.folder / "log.db"))
        assert publish(daemon, "a", 1) == publish(daemon, "a", 2) == 201
        disk.block(daemon)
        (tmp_path / "damaged").touch()
        why = "the log is damaged, and there can be no other"
        with connect(f"{daemon.ws_url}/ws", subprotocols=[V1]) as socket:
            viewer = Viewer(socket)
            for _ in range(2):
                answer = daemon.request("POST", "/streams/a", "3")
                assert (answer.status, answer.json()["error"]["message"]) == (503, why)
            viewer.wait_until("away")
            assert viewer.journal["error"] == why
            assert daemon.request("GET", "/state").json() == {"a": 2}
            disk.empty(daemon)
        wait_until(lambda: publish(daemon, "b", 1) == 201)
        assert daemon.request("GET", "/state").json() == {"b": 1}
        with connect(f"{daemon.ws_url}/ws", subprotocols=[V1]) as socket:
            told = json.loads(socket.recv(timeout=20))["journal"]
        assert (told["state"], told["error"]) == ("ok", sqlite.LOST)
        assert len(list(disk.folder.glob("log.db.damaged-*[0-9]"))) == 1
        daemon.restart()
        assert daemon.request("GET", "/state").json() == {"b": 1}

    def test_at_the_start_and_no_room_for_another(
        self, disk: Disk, start_daemon: StartDaemon
    ) -> None:
        file = disk.folder / "log.db"
        daemon = start_daemon(config=config(file))
        publish(daemon, "a", 1)
        daemon.stop()
        damaged = b"no database" + file.read_bytes()[11:]
        file.write_bytes(damaged)
        disk.block(daemon)
        line = complaint(daemon.folder, config(file))
        stays = f"{file} is damaged and cannot be renamed: [Errno 13] Permission denied"
        reason = f"cannot use {file}: the disk is full" if disk.mounted else stays
        assert line.startswith(f"journal.path: {reason}")
        disk.empty(daemon)
        daemon.start()
        assert daemon.request("GET", "/state").json() == {}
        assert damaged in (f.read_bytes() for f in disk.folder.iterdir())

    async def test_that_cannot_be_set_aside(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "log.db"
        file.write_bytes(b"no database")
        log = file_log(tmp_path, monkeypatch)
        self.aside(log, tmp_path).mkdir()
        with pytest.raises(Unusable, match="is damaged and cannot be renamed: "):
            await log.start()
        assert file.read_bytes() == b"no database"

    def aside(self, log: Log, folder: Path) -> Path:
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(log.times.now()))
        return folder / f"log.db.damaged-{stamp}"

    def damage(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The next write finds the file damaged."""
        whole = LogFile.write

        def write(file: LogFile, batch: Any) -> None:
            error = sqlite3.DatabaseError("database disk image is malformed")
            error.sqlite_errorname = "SQLITE_CORRUPT"
            monkeypatch.setattr(LogFile, "write", whole)
            raise error

        monkeypatch.setattr(LogFile, "write", write)

    async def test_while_it_runs_and_cannot_be_set_aside(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing is written to a damaged file meanwhile, even if it would take it."""
        attempts: list[str] = []
        whole = LogFile.set_aside

        def set_aside(file: LogFile, stamp: str) -> Path:
            attempts.append(stamp)
            return whole(file, stamp)

        monkeypatch.setattr(LogFile, "set_aside", set_aside)
        log = file_log(tmp_path, monkeypatch)
        await log.start()
        await log.append(("a", 1))
        await sleep(0)
        self.damage(monkeypatch)
        self.aside(log, tmp_path).mkdir()
        why = "the log is damaged, and there can be no other"
        assert (await refusal(log.append(("a", 2)), Away)).message == why
        while len(attempts) < 3 and log.reasons == [why]:
            await sleep(0.01)
        assert log.reasons == [why]
        self.aside(log, tmp_path).rmdir()
        while log.reasons == [why]:
            await sleep(0.01)
        assert (log.reasons, log.losses) == ([why, None], [sqlite.LOST])
        [update] = await log.append(("a", 3))
        assert (update.seq, update.at.life) == (1, log.journal.life)
        await log.restart()
        assert [u.value for u in log.held] == [b"3"]
        await log.journal.stop()

    async def test_while_it_runs_and_its_folder_is_gone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "disk").mkdir()
        log = file_log(tmp_path / "disk", monkeypatch)
        await log.start()
        self.damage(monkeypatch)
        (tmp_path / "disk").rename(tmp_path / "gone")
        error = await refusal(log.append(("a", 1)), Away)
        assert error.message == "the log is damaged, and there can be no other"
        await log.journal.stop()

    async def test_while_it_runs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        log = file_log(tmp_path, monkeypatch)
        await log.start()
        await log.append(("a", 1), ("a", 2))
        life = log.journal.life
        await sleep(0)  # or both would go in one step
        self.damage(monkeypatch)
        appending = log.journal.append([Draft("a", b"3")])
        following = log.journal.append([Draft("a", b"4")])
        with pytest.raises(Away):
            await appending
        [update] = await following
        assert (update.seq, update.at.life) == (1, log.journal.life)
        assert log.journal.life != life
        assert log.losses == [sqlite.LOST]
        assert log.restored[-1][:2] == (log.journal.life, [])
        assert len(list(tmp_path.glob("log.db.damaged-*"))) >= 1
        await log.restart()
        assert [u.value for u in log.held] == [b"4"]
        await log.journal.stop()


def file_log(folder: Path, patch: pytest.MonkeyPatch) -> Log:
    return Log(Sqlite(patch, folder))


class TestStart:
    def test_a_second_daemon_is_refused(self, start_daemon: StartDaemon) -> None:
        daemon = start_daemon(config=config("log.db"))
        publish(daemon, "a", 1)
        file = daemon.folder / "log.db"
        line = complaint(daemon.folder, config("log.db"))
        assert line == f"journal.path: cannot use {file}: another process has the file open"
        assert publish(daemon, "a", 2) == 201

    @pytest.mark.parametrize(
        ("path", "reason"),
        [("nowhere/log.db", "there is no folder {folder}"), (".", "Is a directory")],
    )
    def test_a_path_that_cannot_be(self, tmp_path: Path, path: str, reason: str) -> None:
        file = tmp_path / path
        line = complaint(tmp_path, config(path))
        assert line == f"journal.path: cannot use {file}: {reason.format(folder=file.parent)}"

    def test_a_folder_that_may_not_be_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The tests may run as root, which may write anywhere."""
        monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
        with pytest.raises(Unusable, match="this user may not write to the folder"):
            file_format.check_head(tmp_path / "log.db")

    @pytest.mark.parametrize(
        ("lines", "problem"),
        [
            ('kind = "paper"', "journal.kind: unknown; there are memory, redis, sqlite"),
            ('kind = "sqlite"', "journal.path: is missing"),
            (
                'path = "a"\nsynchronous = "off"',
                "journal.synchronous: expected one of normal, full",
            ),
            ('kind = "memory"\npath = "a"', "journal.path: unknown key; there are no keys here"),
        ],
    )
    def test_a_wrong_configuration(self, tmp_path: Path, lines: str, problem: str) -> None:
        assert complaint(tmp_path, f"[journal]\n{lines}\n") == problem


class TestSources:
    """A commit takes a moment; what a source says meanwhile is the newer truth."""

    def start(self, start_daemon: StartDaemon, folder: Path, command: str) -> Daemon:
        source = f'[sources.a]\ncommand = ["sh", "-c", "{command}"]\nevery = "200ms"\n'
        daemon = start_daemon(config=config(folder / "log.db", source))
        wait_until(lambda: daemon.request("GET", "/streams/a").status == 200)
        return daemon

    def test_a_failure(self, start_daemon: StartDaemon, tmp_path: Path) -> None:
        daemon = self.start(start_daemon, tmp_path, "date +%s%N; exit 1")
        last: dict[int, str] = {}  # how it was in the end, a second after each value

        def has_run_again() -> bool:
            told = daemon.request("GET", "/streams/a").json()
            last[told["seq"]] = told["health"]["state"]
            return len(last) > 3

        wait_until(has_run_again)
        assert [*last.values()][:3] == ["failed"] * 3

    def test_another_value(self, start_daemon: StartDaemon, tmp_path: Path) -> None:
        daemon = self.start(start_daemon, tmp_path, "printf '1\\\\n2\\\\n1\\\\n'")

        def stands() -> bool:
            """Not only for the moment between two of its values."""
            for _ in range(4):
                told = daemon.request("GET", "/streams/a").json()
                if (told["health"]["state"], told["value"]) != ("fresh", 1):
                    return False
                time.sleep(0.1)
            return True

        wait_until(stands, what="fresh 1")


class Broken(Log):
    """A follower that fails on what the log holds."""

    def __init__(self, error: Exception, folder: Path, patch: pytest.MonkeyPatch) -> None:
        super().__init__(Sqlite(patch, folder))
        self.error = error

    def restore(self, *log: Any) -> None:
        raise self.error


class TestFollowerThatFails:
    """Only what the file itself says is damage."""

    ERRORS = (ValueError("ours"), KeyError("ours"), msgspec.ValidationError("ours"))

    @pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
    async def test_at_the_start(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        log = file_log(tmp_path, monkeypatch)
        await log.start()
        await log.append(("a", 1))
        await log.journal.stop()
        before = {file: file.read_bytes() for file in tmp_path.iterdir()}
        broken = Broken(error, tmp_path, monkeypatch)
        with pytest.raises(type(error), match="ours"):
            await broken.start()
        broken.journal._file.close()  # type: ignore[attr-defined]
        assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before
        assert broken.losses == []

    async def test_on_another_log_while_it_runs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged_errors: LoggedErrors
    ) -> None:
        log = file_log(tmp_path, monkeypatch)
        await log.start()
        await log.append(("a", 1))
        TestDamaged().damage(monkeypatch)
        broken = Broken(ValueError("ours"), tmp_path, monkeypatch)
        monkeypatch.setattr(log, "restore", broken.restore)
        assert (await refusal(log.append(("a", 2)), Away)).message == sqlite.LOST
        assert len(logged_errors.flush(ValueError)) == 1
        [update] = await log.append(("a", 3))
        assert update.seq == 1
        assert len(list(tmp_path.glob("log.db.damaged-*[0-9]"))) == 1
        await log.journal.stop()
