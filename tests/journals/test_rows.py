"""The rows of each stream: what is deleted is what a search of the whole table would find."""

from __future__ import annotations

import random
import sqlite3

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.update import LIFE_UNIT, ORIGIN, Position, Update
from streamd.journals.file_format import UPGRADES
from streamd.journals.rows import TOGETHER, Rows

LIFE = 7 * LIFE_UNIT
SEARCH = (
    "DELETE FROM updates WHERE stream = :stream AND (ms, i) < (:ms, :i)",
    "DELETE FROM updates WHERE stream = :stream AND ms = :ms AND i = :i AND value IS NULL"
    " AND :is_tomb",
)


class Table:
    """A file's table, and the same table without :class:`Rows`."""

    def __init__(self) -> None:
        self.databases = [sqlite3.connect(":memory:", isolation_level=None) for _ in range(2)]
        for database in self.databases:
            for script in UPGRADES:
                database.executescript(script)
        self.rows = Rows()

    def append(self, stream: str, ms: int, i: int, value: bytes | None) -> None:
        for database in self.databases:
            row = (self.rows.last + 1, stream, ms, i, value)
            database.execute("INSERT INTO updates VALUES (?, ?, ?, ?, 1, 0.0, ?)", row)
        self.rows.add([stream])

    def trim(self, first: dict[str, Position], horizon: Position) -> None:
        ours, others = self.databases
        self.rows.forget(self.rows.delete(ours, first, horizon))
        for stream, at in first.items():
            place = {"stream": stream, "ms": at.ms, "i": at.n % LIFE_UNIT}
            for statement in SEARCH:
                others.execute(statement, {**place, "is_tomb": at <= horizon})

    def held(self, number: int = 0) -> list[tuple[int, str]]:
        found = self.databases[number].execute("SELECT id, stream FROM updates ORDER BY id")
        return found.fetchall()


class RowsTests(SynchronousTestCase):
    def test_the_same_rows_are_deleted_as_by_a_search(self) -> None:
        for seed in range(20):
            chance, table = random.Random(seed), Table()
            places: list[tuple[str, Position, bool]] = []
            ms = i = 0
            for _ in range(200):
                ms, i = (ms, i + 1) if chance.random() < 0.3 else (ms + chance.randrange(1, 9), 0)
                stream, dies = f"s{chance.randrange(6)}", chance.random() < 0.1
                table.append(stream, ms, i, None if dies else b"1")
                places.append((stream, Position(ms, LIFE + i), dies))
                if chance.random() < 0.1:
                    some = chance.sample(places, min(3, len(places)))
                    horizon = max((at for _, at, dies in some if dies), default=ORIGIN)
                    table.trim({stream: at for stream, at, _ in some}, horizon)
                    self.assertEqual(table.held(1), table.held(), seed)
            again = Rows((stream, id) for id, stream in table.held())
            self.assertEqual(table.rows._ids, again._ids)

    def test_what_was_rolled_back_can_be_deleted_later(self) -> None:
        table = Table()
        for ms in range(1, 5):
            table.append("a", ms, 0, b"1")
        database = table.databases[0]
        database.execute("BEGIN")
        table.rows.delete(database, {"a": Position(3, LIFE)}, ORIGIN)
        database.execute("ROLLBACK")
        table.append("a", 5, 0, b"1")
        table.trim({"a": Position(5, LIFE)}, ORIGIN)
        self.assertEqual([(5, "a")], table.held())

    def test_a_stream_without_rows_needs_nothing(self) -> None:
        table = Table()
        table.append("a", 1, 0, None)
        table.trim({"a": Position(1, LIFE), "b": Position(1, LIFE)}, Position(1, LIFE))
        self.assertEqual([], table.held())
        self.assertEqual({}, table.rows._ids)

    def test_many_updates_at_once_are_inserted_in_order(self) -> None:
        table = Table()
        table.append("a", 1, 0, b"1")
        database = table.databases[0]
        for count in (0, 1, TOGETHER, 2 * TOGETHER + 3):
            database.execute("DELETE FROM updates WHERE id > 1")
            updates = [
                Update(f"s{i}", i + 1, Position(2, LIFE + i), i / 2, None if i == 5 else b"%d" % i)
                for i in range(count)
            ]
            table.rows.insert(database, updates)
            wanted = [
                (2 + i, u.stream, u.seq, u.at.ms, i, u.time, u.value) for i, u in enumerate(updates)
            ]
            rows = (
                "SELECT id, stream, seq, ms, i, time, value FROM updates WHERE id > 1 ORDER BY id"
            )
            self.assertEqual(wanted, database.execute(rows).fetchall())
