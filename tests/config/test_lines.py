"""The line of a file that a mistake is about."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.config.lines import key_of, line_of

TEXT = '''\
[server]
pace = "5s"   # of viewers

[sources.shop]
query = """
SELECT 1
[walls]
"""
every = "5s"

[streams."web-1.load"]
warn = "> 5"
[streams.shop]
orders.unit = "kg"

[[walls]]
name = "hall"
[[walls.tiles]]
stream = "a"
[[walls.tiles]]
stream = "b"
[walls.tiles.limits]
[[walls]]
name = "lab"
[[walls.tiles]]
stream = "c"
'''


class LineTests(SynchronousTestCase):
    def test_lines(self) -> None:
        for path, line in (
            ("server", 1),
            ("server.pace", 2),
            ("sources.shop", 4),
            ("sources.shop.query", 5),
            ("sources.shop.every", 9),
            ("sources.shop.missing", 4),
            ("streams.web-1.load.warn", 12),
            ("streams.shop.orders.unit", 14),
            ("walls[0].name", 17),
            ("walls[0].tiles[1].stream", 21),
            ("walls[0].tiles[1].show", 20),
            ("walls[1].tiles[0].stream", 26),
            ("walls[1].name", 24),
            ("access.publish[0]", None),
            ("sources.shop.headers.X[", 4),
            ("streams.a[b.unit", None),
            ("[", None),
            (".", None),
        ):
            self.assertEqual(line, line_of(TEXT, f"{path}: expected: something"), path)

    def test_a_mistake_of_syntax_says_its_line(self) -> None:
        problem = "not TOML: Expected ']' at the end of a table declaration (at line 3, column 10)"
        self.assertEqual(3, line_of("", problem))

    def test_a_problem_without_a_key_has_no_line(self) -> None:
        self.assertIsNone(line_of(TEXT, "cannot read streamd.toml: No such file or directory"))
        self.assertIsNone(line_of(TEXT, "the file is empty"))

    def test_keys(self) -> None:
        self.assertEqual("walls[0].name", key_of("walls[0].name: there is a wall hall already"))
        self.assertEqual("", key_of("not TOML: Expected"))
        self.assertEqual("", key_of("the file is empty"))

    def test_text_that_is_no_toml_is_no_error(self) -> None:
        for text in ("[", "[[", "[[a", "= 1", "a =", '["a]', "[a.]", "\0", "[a]]]\n[a"):
            self.assertIsNone(line_of(text, "nowhere.at.all: wrong"))
