"""The file of a log: what it holds after every end, what is damage, and which life the log has."""

from __future__ import annotations

import gzip
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from streamd.core.stream import UNREADABLE
from streamd.core.update import ORIGIN
from streamd.journals import file_format, log_file, sqlite
from streamd.journals.journal import Outrun, SourceCursor, Unusable
from streamd.journals.sqlite import SqliteJournal
from tests.journals.test_journal import Log, forget, refusal
from tests.journals.test_sqlite import complaint, config, file_log, publish
from tests.support.daemon import StartDaemon
from tests.support.tidy import LoggedErrors

OLD = Path(__file__).parent / "files" / "log-0.1.0.db.gz"
"""A file that version 0.1.0 made and closed."""


class TestTampered:
    """A file that SQLite finds nothing wrong with, and that no log of ours ever was."""

    async def tamper(self, log: Log, folder: Path, *statements: str) -> None:
        await log.start()
        await log.append(("a", 1), ("a", 2), ("b", 1))
        await log.journal.put("screen", "hall", b"one", 60)
        await log.journal.stop()
        with closing(sqlite3.connect(folder / "log.db")) as database, database:
            for statement in statements:
                assert database.execute(statement).rowcount > 0
        log.journal = log.provider.make(log.times)
        await log.start()

    @pytest.mark.parametrize("time", ["9e999", "-1", "1e300", "'soon'", "x'00'"])
    async def test_a_time_that_cannot_be(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, time: str
    ) -> None:
        log = file_log(tmp_path, monkeypatch)
        await self.tamper(log, tmp_path, f"UPDATE updates SET time = {time} WHERE stream = 'a'")
        assert log.held == log.updates  # it was appended when it was true
        assert log.losses == []
        await log.journal.stop()

    @pytest.mark.parametrize(
        "change",
        [
            "updates SET ms = -1",
            "updates SET ms = 9e18",
            "updates SET i = 1048576",
            "updates SET seq = 0",
            "updates SET seq = 'one'",
            "updates SET stream = x'00'",
            "updates SET stream = CAST(x'ff' AS TEXT)",
            "updates SET value = 'text'",
            "about SET life = -1",
            "about SET life = 9e18",
            "about SET ms = 'now'",
            "about SET i = -1",
            "records SET expires = 'soon'",
            "records SET data = 1",
        ],
    )
    async def test_what_no_log_can_be_is_damaged(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
    ) -> None:
        log = file_log(tmp_path, monkeypatch)
        await self.tamper(log, tmp_path, f"UPDATE {change}")
        assert (log.held, log.losses) == ([], [sqlite.LOST])
        assert len(list(tmp_path.glob("log.db.damaged-*[0-9]"))) == 1
        await log.append(("a", 3))
        await log.journal.stop()

    def test_a_byte_of_a_value_is_another(self, start_daemon: StartDaemon) -> None:
        text = config("log.db", "[streams.a]\nwarn = '> 5'\n")
        daemon = start_daemon(config=text)
        for name in "abc":
            for number in range(3):
                publish(daemon, name, {"number": number})
        before = daemon.request("GET", "/state").headers["Streamd-Position"]
        daemon.stop()
        with closing(sqlite3.connect(daemon.folder / "log.db")) as database, database:
            for name, seq, value in (("a", 3, b'{"number"x2}'), ("b", 2, b'{"numb\xffr":1}')):
                change = "UPDATE updates SET value = ? WHERE stream = ? AND seq = ?"
                assert database.execute(change, (value, name, seq)).rowcount == 1
        for _ in range(2):
            daemon.restart()
            state = daemon.request("GET", "/state")
            assert state.json() == {"b": {"number": 2}, "c": {"number": 2}}
            assert state.headers["Streamd-Position"] == before
            health = daemon.request("GET", "/streams/a").json()["health"]
            assert (health["state"], health["error"]) == ("failed", UNREADABLE)
            told = daemon.request("GET", "/streams/b?history=9").json()
            assert [update["seq"] for update in told["history"]] == [3]
            assert told["health"]["state"] == "late"
            told = daemon.request("GET", "/streams/c?history=9").json()
            assert [update["seq"] for update in told["history"]] == [1, 2, 3]
        for name in "ab":
            assert f"a value of {name} cannot be read" in daemon.log()
        assert publish(daemon, "a", 1) == 201
        told = daemon.request("GET", "/streams/a").json()
        assert (told["seq"], told["value"], told["health"]["state"]) == (4, 1, "fresh")


class TestFormat:
    def test_a_newer_one_is_refused_and_left_alone(self, start_daemon: StartDaemon) -> None:
        daemon = start_daemon(config=config("log.db"))
        publish(daemon, "a", 1)
        daemon.kill()  # the write-ahead log is still there
        file = daemon.folder / "log.db"
        data = bytearray(file.read_bytes())
        data[60:64] = (len(file_format.UPGRADES) + 1).to_bytes(4, "big")
        file.write_bytes(data)
        before = {path: path.read_bytes() for path in daemon.folder.glob("log.db*")}
        line = complaint(daemon.folder, config("log.db"))
        assert line == (
            f"journal.path: cannot use {file}: its format is 4, of a newer streamd; this one knows 3; "
            "install the newer version again, or restore a backup from before the update"
        )
        assert {path: path.read_bytes() for path in daemon.folder.glob("log.db*")} == before

    async def test_a_newer_version_that_is_only_in_the_write_ahead_log(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "other").mkdir()
        log, other = file_log(tmp_path, monkeypatch), file_log(tmp_path / "other", monkeypatch)
        await log.start()
        await log.journal.stop()
        with closing(sqlite3.connect(tmp_path / "log.db")) as database:
            database.execute("PRAGMA user_version = 4")
            for file in tmp_path.glob("log.db*"):  # as it is when its daemon was killed
                shutil.copy(file, tmp_path / "other")
        assert (tmp_path / "other" / "log.db").read_bytes()[60:64] == b"\0\0\0\3"
        with pytest.raises(
            Unusable, match=r"its format is 4, of a newer streamd; this one knows 3; install "
        ):
            await other.start()

    def test_another_programs_database_is_left_alone(self, tmp_path: Path) -> None:
        file = tmp_path / "shop.db"
        with closing(sqlite3.connect(file)) as database, database:
            database.execute("CREATE TABLE orders (id)")
        before = file.read_bytes()
        line = complaint(tmp_path, config(file))
        assert line == f"journal.path: cannot use {file}: it is another program's database"
        assert file.read_bytes() == before

    async def test_an_older_one_is_upgraded(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged_errors: LoggedErrors
    ) -> None:
        log = file_log(tmp_path, monkeypatch)
        await log.start()
        await log.append(("a", 1), ("a", 2))
        wrong = "ALTER TABLE updates ADD COLUMN why TEXT; ALTER TABLE nothing ADD COLUMN x;"
        former = file_format.UPGRADES
        for module in (file_format, log_file):
            monkeypatch.setattr(module, "UPGRADES", (*former, wrong))
        with pytest.raises(Unusable):
            await log.restart()
        right = "ALTER TABLE updates ADD COLUMN why TEXT;"
        for module in (file_format, log_file):
            monkeypatch.setattr(module, "UPGRADES", (*former, right))
        log.journal = log.provider.make(log.times)
        await log.start()
        assert log.held == log.updates
        await log.append(("a", 3))
        await log.restart()
        assert log.held == log.updates
        await log.journal.stop()
        assert (tmp_path / "log.db").read_bytes()[60:64] == b"\0\0\0\4"

    async def test_one_of_version_0_1_0(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "log.db").write_bytes(gzip.decompress(OLD.read_bytes()))
        log = file_log(tmp_path, monkeypatch)
        await log.start()
        assert [(u.stream, u.seq, u.time, u.value) for u in log.held] == [
            ("orders", 1, 1767225000.5, b"17"),
            ("hall.temp", 1, 1767225600.0, b'{"c":21.5}'),
            ("orders", 2, 1767225600.0, b"18"),
            ("old", 1, 1767225600.0, b"1"),
            ("old", 2, 1767225600.0, None),
        ]
        assert await log.journal.place("shop") == "row 1"
        assert dict(await log.journal.records("screens")) == {"hall": b"one"}
        await refusal(log.append(cursor=SourceCursor("shop", None, "row 2")), Outrun)
        [update] = await log.append(("orders", 19))
        assert (update.seq, update.at > log.held[-1].at) == (3, True)
        life = log.journal.life
        await log.restart()
        assert log.held[-1] == update
        assert log.journal.life == life
        await log.journal.stop()


class TestLife:
    """Whether the end of the log may be lost is known by the start of the system."""

    @pytest.mark.parametrize(
        ("full", "ended", "same"), [(False, False, False), (False, True, True), (True, False, True)]
    )
    async def test_after_the_system_was_started(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: bool, ended: bool, same: bool
    ) -> None:
        from twisted.internet import reactor

        log = file_log(tmp_path, monkeypatch)
        monkeypatch.setattr(log_file, "this_boot", lambda: "one")
        log.journal = SqliteJournal(
            tmp_path / "log.db", log.times.now, log.times.elapsed, reactor, full
        )
        await log.start()
        await log.append(("a", 1))
        life = log.journal.life
        if ended:
            await log.journal.stop()
        (tmp_path / "other").mkdir()  # as the disk was when the power failed
        for file in tmp_path.glob("log.db*"):
            shutil.copy(file, tmp_path / "other")
        if not ended:
            await log.journal.stop()
        monkeypatch.setattr(log_file, "this_boot", lambda: "two")
        again = file_log(tmp_path / "other", monkeypatch)
        await again.start()
        assert (again.journal.life == life) is same
        assert [u.at.life for u in again.held] == [again.journal.life]
        [update] = await again.append(("a", 2))
        assert (update.seq, update.at > again.held[0].at) == (2, True)
        await again.restart()
        assert again.held[1:] == [update]  # and now it stays
        await again.journal.stop()

    async def test_the_note_is_on_the_disk_before_anything_is_reported(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The write-ahead log may be lost with the power; what says so must not be lost with it."""
        log = file_log(tmp_path, monkeypatch)
        monkeypatch.setattr(log_file, "this_boot", lambda: "one")
        await log.start()
        await log.append(("a", 1))
        await log.restart()  # an end as it should be
        life = log.journal.life
        await log.append(("a", 2))
        (tmp_path / "other").mkdir()
        shutil.copy(tmp_path / "log.db", tmp_path / "other")
        await log.journal.stop()
        monkeypatch.setattr(log_file, "this_boot", lambda: "two")
        again = file_log(tmp_path / "other", monkeypatch)
        await again.start()
        assert again.journal.life != life
        await again.journal.stop()


class TestCopies:
    """A log that may have told what it does not hold has another life."""

    async def start(self, folder: Path, patch: pytest.MonkeyPatch) -> Log:
        log = file_log(folder, patch)
        await log.start()
        return log

    def copy(self, folder: Path, target: Path, *ends: str) -> None:
        target.mkdir(exist_ok=True)
        for end in ends:
            if (folder / f"log.db{end}").exists():
                shutil.copy(folder / f"log.db{end}", target)

    @pytest.mark.parametrize("ended", [True, False], ids=["stopped", "killed"])
    @pytest.mark.parametrize("run", ["this", "former"])
    async def test_an_older_copy_is_restored(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: str, ended: bool
    ) -> None:
        log = await self.start(tmp_path, monkeypatch)
        await log.append(("a", 1), ("a", 2), ("a", 3))
        life = log.journal.life
        if run == "former":
            await log.restart()
        copied = ("", "-wal")
        self.copy(tmp_path, tmp_path / "copy", *copied)
        lost, _ = await log.append(("a", 4), ("b", 1))
        assert log.journal.life == life
        if ended:
            await log.journal.stop()
        self.copy(tmp_path, tmp_path / "again", "", "-wal", "-told")
        (tmp_path / "again" / "log.db-wal").unlink(missing_ok=True)
        self.copy(tmp_path / "copy", tmp_path / "again", *copied)
        again = await self.start(tmp_path / "again", monkeypatch)
        assert [u.seq for u in again.held] == [1, 2, 3]
        assert again.journal.life != life
        [update] = await again.append(("a", 4))
        assert (update.seq, update.at.life == lost.at.life) == (4, False)
        await again.restart()
        assert again.journal.life == update.at.life  # it stays
        for each in (again, log)[: 2 - ended]:
            await each.journal.stop()

    @pytest.mark.parametrize("killed", [True, False])
    async def test_the_same_file_continues(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bool
    ) -> None:
        log = await self.start(tmp_path, monkeypatch)
        for number in range(5):
            await log.append(("a", number), ("b", forget if number % 2 else number))
        await log.journal.trim({"a": log.updates[4].at}, ORIGIN)
        if not killed:
            await log.journal.stop()
        self.copy(tmp_path, tmp_path / "moved", "", "-wal", "-told")
        again = await self.start(tmp_path / "moved", monkeypatch)
        assert again.journal.life == log.journal.life
        for each in (again, log)[: 1 + killed]:
            await each.journal.stop()

    async def test_a_log_that_forgot_all_continues(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = await self.start(tmp_path, monkeypatch)
        await log.append(("a", 1))
        [gone] = await log.append(("a", forget))
        await log.journal.trim({"a": gone.at}, gone.at)
        life = log.journal.life
        await log.restart()
        assert (log.held, log.journal.life) == ([], life)
        await log.journal.stop()

    async def test_a_record_alone_keeps_the_life(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = await self.start(tmp_path, monkeypatch)
        await log.journal.put("screens", "hall", b"one", None)
        life = log.journal.life
        await log.restart()
        assert log.journal.life == life
        await log.journal.stop()

    @pytest.mark.parametrize("mark", [None, b"", b"garbage", b"\xff" * 36, b"1-2-3"])
    async def test_a_file_without_a_legible_mark_may_be_a_copy(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mark: bytes | None
    ) -> None:
        log = await self.start(tmp_path, monkeypatch)
        await log.append(("a", 1))
        life = log.journal.life
        await log.journal.stop()
        told = tmp_path / "log.db-told"
        told.unlink()
        if mark is not None:
            told.write_bytes(mark)
        log.journal = log.provider.make(log.times)
        await log.start()
        assert log.journal.life != life
        assert [u.value for u in log.held] == [b"1"]
        await log.append(("a", 2))
        life = log.journal.life
        await log.restart()
        assert log.journal.life == life
        await log.journal.stop()

    async def test_a_mark_that_cannot_be_opened_ends_the_start(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The lock on it keeps out a second daemon, so that nothing starts without it."""
        (tmp_path / "log.db-told").mkdir()
        with pytest.raises(Unusable, match=r"cannot use .*/log\.db-told: Is a directory$"):
            await self.start(tmp_path, monkeypatch)


class TestRights:
    async def test_no_other_user_may_read_a_damaged_log_that_is_kept(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old = gzip.decompress(OLD.read_bytes())
        (tmp_path / "log.db").write_bytes(old[:5000] + b"x" * (len(old) - 5000))
        (tmp_path / "log.db").chmod(0o644)
        log = file_log(tmp_path, monkeypatch)
        await log.start()
        [aside] = tmp_path.glob("log.db.damaged-*[0-9]")
        assert stat.S_IMODE(aside.stat().st_mode) == 0o600
        await log.journal.stop()

    @pytest.mark.parametrize("made_before", [False, True])
    async def test_no_other_user_may_read_the_log(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_before: bool
    ) -> None:
        if made_before:
            (tmp_path / "log.db").write_bytes(gzip.decompress(OLD.read_bytes()))
            (tmp_path / "log.db").chmod(0o644)
        log = file_log(tmp_path, monkeypatch)
        await log.start()
        await log.append(("a", 1))
        rights = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
        assert rights == dict.fromkeys(("log.db", "log.db-shm", "log.db-told", "log.db-wal"), 0o600)
        await log.journal.stop()
