"""The structures of the configuration's tables."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from streamd.config.tables import Config, Tile, Wall
from streamd.core.selection import MAX_PATTERNS


class TileTests(SynchronousTestCase):
    def test_the_streams_that_it_shows(self) -> None:
        self.assertEqual(("shop.*",), Tile(stream="shop.*").patterns)
        self.assertEqual(("a", "b"), Tile(streams=("a", "b")).patterns)

    def test_one_of_both(self) -> None:
        self.assertRaises(ValueError, Tile)
        self.assertRaises(ValueError, Tile, stream="a", streams=("b",))


class WallTests(SynchronousTestCase):
    def test_without_streams_and_tiles_it_shows_all(self) -> None:
        told = msgspec.json.decode(msgspec.json.encode(Wall(name="hall").public()))
        self.assertEqual(("hall", [{"stream": "*"}]), (told["title"], told["tiles"]))

    def test_streams_are_tiles_in_their_order(self) -> None:
        told = Wall(name="hall", streams=("b", "a.*")).public()
        self.assertEqual((Tile(stream="b"), Tile(stream="a.*")), told["tiles"])

    def test_no_more_patterns_than_a_page_may_subscribe_to(self) -> None:
        names = tuple(f"s{number}" for number in range(MAX_PATTERNS))
        self.assertEqual(len(names), len(Wall(name="a", streams=names).public()["tiles"]))
        self.assertRaises(ValueError, Wall, name="a", streams=(*names, "x"))


class ConfigTests(SynchronousTestCase):
    def test_without_a_file_it_is_empty(self) -> None:
        config = Config()
        self.assertEqual(
            ({}, {}, (), None), (config.sources, config.streams, config.walls, config.journal)
        )
        self.assertFalse(config.file)
