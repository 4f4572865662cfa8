"""streamd.toml, and every mistake that can be made in it."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.config.access import TokenEntry
from streamd.config.fields import ConfigError, Secret
from streamd.config.kind import Kind
from streamd.config.parse import parse
from streamd.config.parse import read as read_all
from streamd.config.tables import Config
from streamd.config.walls import Wall
from streamd.core.description import KINDS_OF_TILE, Description, Keep
from streamd.core.duration import Duration
from streamd.core.limit import Limit


class Place(str):
    """A setting with a form of its own, as kinds have them."""

    @classmethod
    def parse(cls, written: Any) -> Place:
        if not isinstance(written, str) or not written.startswith("sqlite:///"):
            raise ValueError('expected "sqlite:///FILE"')
        return cls(written)


class WalkSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    every: Duration = Duration(1)


class QuerySettings(WalkSettings, frozen=True):
    query: str
    database: Place


class FeedSettings(WalkSettings, frozen=True):
    url: str


def make(*table: object) -> None:
    raise AssertionError("a configuration is read, and no more")


WALK = Kind("walk", frozenset(), WalkSettings, make)
SQL = Kind("sql", frozenset(("query",)), QuerySettings, make)
FEED = Kind("feed", frozenset(("ws:", "wss:")), FeedSettings, make)
KINDS = (WALK, SQL, FEED)

SHOW = "expected one of value, status, chart, quantiles, list"
SHOP = '[sources.shop]\ndatabase = "sqlite:///shop.db"\nquery = "SELECT 1 AS orders"\n'


def read(text: str) -> Config:
    return parse(text, KINDS)


def as_json(wall: Wall) -> Any:
    """What a page is told of it."""
    return msgspec.json.decode(msgspec.json.encode(wall.public()))


class GoodTests(SynchronousTestCase):
    def test_empty(self) -> None:
        self.assertEqual(Config(file=True), read(""))

    def test_the_example_of_the_manual(self) -> None:
        config = read(
            SHOP
            + """
            every = "5s"
            [streams.shop.revenue]
            title = "Revenue"
            unit = "€"
            keep = "24h"
            expect = "1m"
            warn = "< 5000"
            critical = "< 1000"
            [server]
            origins = ["https://intranet.example"]
            hosts = ["wall"]
            max_state = "64MiB"
            max_viewers = 5
            forget = "7d"
            [access]
            publish = ["text", { env = "TOKEN" }, { file = "token" }]
            """
        )
        kind, settings = config.sources["shop"]
        self.assertIs(SQL, kind)
        self.assertEqual(("sqlite:///shop.db", 5.0), (settings.database, settings.every))
        wanted = Description(
            title="Revenue",
            unit="€",
            keep=Keep(None, 86400),
            expect=Duration(60),
            warn=Limit("< 5000"),
            critical=Limit("< 1000"),
        )
        self.assertEqual({"shop.revenue": wanted}, config.streams)
        server = config.server
        self.assertEqual(
            (64 * 2**20, 5, 7 * 86400), (server.max_state, server.max_viewers, server.forget)
        )
        secrets = Secret("text"), Secret(env="TOKEN"), Secret(file="token")
        self.assertEqual(tuple(map(TokenEntry, secrets)), config.access.publish)

    def test_loopback(self) -> None:
        self.assertEqual("loopback", read('[access]\npublish = "loopback"').access.publish)

    def test_a_table_in_a_stream_is_a_longer_name(self) -> None:
        config = read(
            '[streams]\n[streams.shop]\ntitle="S"\n[streams.shop.a]\n[streams.shop.a.b]\nunit="x"\n'
            '[streams."x.y"]\n[streams.shop._z]\n[streams.streams.q]'
        )
        names = {"shop", "shop.a.b", "x.y", "shop._z", "streams.q"}
        self.assertEqual(names, set(config.streams))

    def test_words_are_no_longer_name(self) -> None:
        config = read('[streams.door]\nwords = { 0 = "shut", true = "open" }\n')
        self.assertEqual({"0": "shut", "true": "open"}, config.streams["door"].words)
        self.assertEqual(["door"], list(config.streams))
        named = read('[streams.words]\ntitle = "W"\n[streams."a.words"]\ntitle = "V"')
        self.assertEqual(["words", "a.words"], list(named.streams))
        deeper = read('[streams.a.words.b]\ntitle = "B"')
        self.assertEqual(["a.words.b"], list(deeper.streams))

    def test_presentation(self) -> None:
        config = read(
            """
            [streams.a]
            format = "money"
            currency = "EUR"
            decimals = 2
            goal = 30e6
            from = 2026-10-01
            by = "2026-12-31"
            rollup = "8d"
            compare = "7d"
            """
        )
        told = msgspec.json.decode(msgspec.json.encode(config.streams["a"].public()))
        self.assertEqual(("money", "EUR", 2), (told["format"], told["currency"], told["decimals"]))
        self.assertEqual(("2026-10-01", "2026-12-31"), (told["from"], told["by"]))
        self.assertEqual((3e7, "7d"), (told["goal"], told["compare"]))

    def test_order_is_that_of_the_file(self) -> None:
        streams = "[streams.zulu]\n[streams.alpha.x]\nkeep = 1\n"
        config = read(streams + SHOP.replace("sources.shop", "sources.web") + SHOP)
        self.assertEqual(("zulu", "alpha.x", "web", "shop"), config.order)
        self.assertEqual(("shop", "zulu", "alpha.x"), read(SHOP + streams).order)

    def test_kind_by_name_or_by_a_key_that_tells_it(self) -> None:
        config = read('[sources.a]\nkind = "walk"\n[sources.b]\nurl = "wss://x"\n' + SHOP)
        kinds = {name: table.kind.name for name, table in config.sources.items()}
        self.assertEqual({"a": "walk", "b": "feed", "shop": "sql"}, kinds)

    def test_fields_for_viewers(self) -> None:
        config = read('[streams.a]\nkeep = "90s"\nwarn = "> 1"\nexpect = "1m"\n[streams.b]')
        told = {"keep": "90s", "warn": "> 1", "expect": 60.0}
        self.assertEqual(told, config.streams["a"].public())
        self.assertEqual({"keep": 100}, config.streams["b"].public())

    def test_walls(self) -> None:
        one, other, rest = read(
            """
            [[walls]]
            name = "kitchen"
            title = "Kitchen"
            theme = "auto"
            rotate = "1m"
            streams = ["shop.*", "build"]
            [[walls]]
            name = "hall"
            [[walls.tiles]]
            stream = "shop.orders"
            title = "Orders today"
            show = "chart"
            [[walls.tiles]]
            streams = ["load.web", "load.db"]
            [[walls]]
            name = "rest"
            """
        ).walls
        tiles = [{"stream": "shop.*"}, {"stream": "build"}]
        told = {"name": "kitchen", "title": "Kitchen", "theme": "auto", "rotate": 60.0}
        self.assertEqual({**told, "tiles": tiles}, as_json(one))
        tiles = as_json(other)["tiles"]
        orders = {"stream": "shop.orders", "title": "Orders today", "show": "chart"}
        self.assertEqual([orders, {"streams": ["load.web", "load.db"]}], tiles)
        told = {"name": "rest", "title": "rest", "theme": "dark", "rotate": 15.0}
        self.assertEqual({**told, "tiles": [{"stream": "*"}]}, as_json(rest))

    def test_tile_has_the_options_of_the_kind_that_its_stream_says(self) -> None:
        [wall] = read(
            """
            [[walls]]
            name = "hall"
            [[walls.tiles]]
            stream = "shop.orders"
            window = "8h"
            [[walls.tiles]]
            stream = "shop.orders"
            title = "Orders"
            [streams.shop.orders]
            show = "chart"
            """
        ).walls
        chart = {"stream": "shop.orders", "show": "chart", "window": 28800.0}
        self.assertEqual(
            [chart, {"stream": "shop.orders", "title": "Orders"}], as_json(wall)["tiles"]
        )


class SecretVariableTests(SynchronousTestCase):
    def test_variables_of_secrets_are_found_wherever_they_are(self) -> None:
        text = """
            [access]
            publish = ["a text that is a secret", { env = "A" }]
            admin = [{ token = { env = "B" }, name = "ci" }]
            [sources.web]
            url = "ws://x"
            headers = { Authorization = { env = "C" }, Accept = "text/plain" }
            [sources.load]
            kind = "walk"
            env = ["D"]
            [journal]
            url = { env = "E" }
            """
        config, _ = read_all(text, KINDS)
        self.assertEqual({"A", "B", "C", "E"}, config.secrets)


class BadTests(SynchronousTestCase):
    def problems(self, text: str) -> list[str]:
        error: ConfigError = self.assertRaises(ConfigError, read, text)
        self.assertEqual("\n".join(error.problems), str(error))
        return error.problems

    def check(self, text: str, path: str, words: str) -> None:
        """One problem, at this key path, that says these words."""
        [problem] = self.problems(text)
        place, _, message = problem.partition(": ")
        self.assertEqual(path, place, problem)
        self.assertIn(words, message)

    def test_not_toml(self) -> None:
        [problem] = self.problems("[server\n")
        self.assertIn("not TOML", problem)
        self.assertIn("line 1", problem)
        for text, cure in (
            ("a = b", "a text needs quotes"),
            ("a = 5s", "a text needs quotes, all of it"),
            ('a = "b\nc = 5', "is a quote missing"),
            ('a = "C:\\logs"', "single quotes"),
            ("streams: 5", "KEY = VALUE"),
            ("[büro]", "needs quotes"),
        ):
            [problem] = self.problems(text)
            self.assertTrue(problem.startswith("not TOML: "))
            self.assertIn(cure, problem)

    def test_what_python_cannot_read(self) -> None:
        for text, why in ((f"a = {'9' * 5000}", "digits"), (f"a = {'[' * 5000}", "nested")):
            [problem] = self.problems(text)
            self.assertIn(why, problem)

    def test_durations(self) -> None:
        for written in ("5", "5.0", '"5"', '"-5s"', '"0s"', '"soon"', "true", "[]"):
            self.check(SHOP + f"every = {written}", "sources.shop.every", "expected")
        self.check("[server]\npace = 1", "server.pace", 'a duration such as "5s"')

    def test_sizes(self) -> None:
        for written in ("64", '"64"', '"64KB"', '"-1MiB"', '"1.5GiB"'):
            self.check(f"[server]\nmax_state = {written}", "server.max_state", '"64KiB"')

    def test_types(self) -> None:
        self.check(
            '[server]\nmax_viewers = "5"',
            "server.max_viewers",
            "expected a whole number, not a text",
        )
        brackets = 'expected an array, not a text; write ["…"]'
        self.check('[server]\norigins = "x"', "server.origins", brackets)
        tables = "expected an array, not a table; write [[walls.tiles]]"
        self.check('[[walls]]\nname = "a"\n[walls.tiles]', "walls[0].tiles", tables)
        self.check('[server]\norigins = ["null", "*"]', "server.origins[1]", "no wildcard")
        for written, place, words in (
            ("wall:80", "server.publish_origins[0]", "did you mean"),
            ("null", "server.publish_origins", "any site can send"),
        ):
            self.check(f'[server]\npublish_origins = ["{written}"]', place, words)
        self.check(
            "[server]\nhosts = [5]", "server.hosts[0]", "expected a text, not a whole number"
        )
        for host in ("https://wall.example", "wall.example:5000", "wall.example/", "*.example", ""):
            wanted = 'a name such as "wall.example.org", without scheme and port'
            self.check(f'[server]\nhosts = ["{host}"]', "server.hosts[0]", wanted)
        self.check(
            '[server]\ntrusted_proxies = "::1"', "server.trusted_proxies", "expected an array"
        )
        proxies = '[server]\ntrusted_proxies = ["10.0.0.0/8", "proxy.example"]'
        self.check(proxies, "server.trusted_proxies[1]", 'such as "127.0.0.1"')
        self.check("[streams.a]\ntitle = 5", "streams.a.title", "expected a text")
        self.check("server = 5", "server", "expected a table, not a whole number")

    def test_bounds(self) -> None:
        for key in ("max_viewers", "max_streams"):
            for number in (0, 1_000_001, "9" * 400):
                self.check(f"[server]\n{key} = {number}", f"server.{key}", "1 to 1000000")
        for share in (0, -1, 1.5, "nan", "inf"):
            table = f"[server]\naddress_share = {share}"
            self.check(table, "server.address_share", "more than 0 and at most 1")

    def test_unknown_keys(self) -> None:
        self.check("[servr]", "servr", "unknown")
        self.check("[sorces.a]", "sorces", "did you mean sources?")
        self.check("[server]\nport = 1", "server.port", "unknown key; there are ")
        self.check("[access]\nread = []", "access.read", "there are admin, identity")
        self.check(SHOP + "evry = 1", "sources.shop.evry", "unknown key; did you mean every?")
        self.check("[streams.a]\nwran = 1", "streams.a.wran", "unknown key; did you mean warn?")

    def test_missing_keys(self) -> None:
        self.check('[sources.a]\nquery = "SELECT 1"', "sources.a.database", "is missing")

    def test_kinds(self) -> None:
        self.check(
            '[sources.a]\nkind = "pigeon"', "sources.a.kind", "unknown; there are feed, sql, walk"
        )
        self.check("[sources.a]\nkind = 5", "sources.a.kind", "unknown")
        self.check("[sources.a]", "sources.a", "say which kind: one of feed, sql, walk")
        for url in ("gopher://x", "x", "http://[", ""):
            self.check(f'[sources.a]\nurl = "{url}"', "sources.a.url", "expected ws:// or wss://")

    def test_a_misspelt_key_that_would_imply_the_kind(self) -> None:
        for key, meant in {"qery": "query", "knd": "kind", "ur": "url"}.items():
            self.check(
                f'[sources.a]\n{key} = "x"',
                f"sources.a.{key}",
                f"unknown key; did you mean {meant}?",
            )
        *_, last = self.problems('[sources.a]\nevry = "5s"')
        self.assertIn("sources.a: say which kind", last)

    def test_settings_with_a_form_of_their_own(self) -> None:
        bad = '[sources.a]\nquery = "SELECT 1"\ndatabase = {}'
        for written in ('"shop.db"', '""', "5", "[]"):
            self.check(bad.format(written), "sources.a.database", "sqlite:///FILE")

    def test_names(self) -> None:
        self.check('[streams."a b"]', "streams.a b", "is not a name")
        self.check('[streams.a."b c"]', "streams.a.b c", "is not a name")
        self.check('[sources."a/b"]\nkind = "walk"', "sources.a/b", "is not a name")

    def test_tables(self) -> None:
        self.check("streams = 5", "streams", "expected tables")
        self.check("[streams]\na = 5", "streams.a", "expected a table, [streams.a]")
        self.check("[[sources]]", "sources", "expected tables, [sources.NAME]")
        self.check('streams.a.keep = "100"', "streams.a.keep", "expected a number of updates")

    def test_walls(self) -> None:
        def check(text: str, path: str, words: str) -> None:
            self.check(f'[[walls]]\nname = "a"\n[[walls]]\n{text}', f"walls[1]{path}", words)

        self.check("[walls]", "walls", "expected tables, [[walls]]")
        self.check("walls = [5]", "walls[0]", "expected a table")
        check('title = "x"', ".name", "is missing")
        check('name = "a b"', ".name", "expected a name")
        check('name = "a"', ".name", "there is a wall a already")
        check('name = "b"\ntheme = "pink"', ".theme", "one of dark, light, auto")
        check('name = "b"\nrotate = 5', ".rotate", "a duration")
        check('name = "b"\nstreams = []', ".streams", "not empty")
        check('name = "b"\nstreams = ["a", "a b"]', ".streams[1]", "expected a name")
        check('name = "b"\ncolour = 1', ".colour", "unknown key; there are accent, clocks")
        tile = 'name = "b"\n[[walls.tiles]]\n'
        check(f"{tile}show = 'chart'", ".tiles[0]", "either stream or streams")
        check(f"{tile}stream = 'a'\nstreams = ['b']", ".tiles[0]", "either stream or streams")
        check(f"{tile}stream = 'a'\nshow = 'gauge'", ".tiles[0].show", "of auto, value, status")
        check(f"{tile}streams = ['a', 'b b']", ".tiles[0].streams[1]", "expected a name")
        check(f"{tile}stream = 'a'\ngroup = 'Shop'", ".tiles[0].group", "no such group")
        check(tile.replace("[[", "streams = ['a']\n[[") + "stream = 'a'", "", "not both")
        names = ",".join(f"'s{n}'" for n in range(32))
        self.assertEqual(
            32, len(read(f'[[walls]]\nname = "a"\nstreams = [{names}]').walls[0].public()["tiles"])
        )
        check(f'name = "b"\nstreams = [{names}, "x"]', "", "at most 32 names and globs")

    def test_show_of_a_stream_is_a_kind_of_tile(self) -> None:
        for written in ("gauge", "", "Value", "value|status", "chart\\n", "constructor"):
            self.check(f'[streams.a]\nshow = "{written}"', "streams.a.show", SHOW)
        self.check("[streams.a]\nshow = 5", "streams.a.show", "expected a text")
        for kind in KINDS_OF_TILE:
            self.assertEqual(kind, read(f'[streams.a]\nshow = "{kind}"').streams["a"].show)

    def test_keep_and_limits(self) -> None:
        for written in ("0", "-1", "true", "1.5", '"100"', "1000001"):
            self.check(f"[streams.a]\nkeep = {written}", "streams.a.keep", "expected")
        self.check('[streams.a]\nwarn = "high"', "streams.a.warn", "a comparison")
        self.check("[streams.a]\ncritical = 5", "streams.a.critical", "a comparison")

    def test_presentation(self) -> None:
        formats = (
            "expected one of number, percent, money, bytes, duration, time, date, since, until"
        )
        for setting, key, message in (
            ("words = 5", "words", "expected a table"),
            ("words = { 0 = 1 }", "words.0", "expected a text"),
            ('words = { 0 = "" }', "words.0", "not empty"),
            ('format = "euro"', "format", formats),
            ('format = "money"', "currency", 'currency = "EUR"'),
            ('format = "money"\ncurrency = "euro"', "currency", 'such as "EUR"'),
            ("decimals = 11", "decimals", "at most 10"),
            ('goal = "5"', "goal", "expected a number"),
            ("goal = nan", "goal", "finite"),
            ('by = "soon"', "by", '"2026-12-31"'),
            ('by = "18:00"', "by", "needs a goal"),
            ('goal = 5\nfrom = "08:00"', "from", "needs by"),
            ("goal = 5\nfrom = 2026-10-02\nby = 2026-10-01", "from", "before 2026-10-01"),
            ('compare = "7h"', "compare", "whole days"),
            ('compare = "7d"', "compare", 'add the line rollup = "8d"'),
        ):
            with self.subTest(setting):
                self.check(f"[streams.a]\n{setting}", f"streams.a.{key}", message)

    def test_a_table_that_could_be_words_or_a_stream(self) -> None:
        for table in ('title = "x"', "", "keep = 5"):
            text = f"[streams.a.words]\n{table}"
            self.check(text, "streams.a.words", 'if this is a stream, write [streams."a.words"]')

    def test_language_and_timezone(self) -> None:
        wall = '[[walls]]\nname = "a"\n'
        for place, path in (("[server]\n", "server"), (wall, "walls[0]")):
            for written in ("de_DE", "german", "DE", ""):
                text = f'{place}language = "{written}"'
                self.check(text, f"{path}.language", "a language such as")
            self.check(f'{place}timezone = "Berlin"', f"{path}.timezone", "Europe/Berlin")
            self.check(f"{place}timezone = 1", f"{path}.timezone", "Europe/Berlin")

    def test_secrets(self) -> None:
        for written in (
            '["a", 5]',
            '["a", ""]',
            '["a", { env = "A", file = "b" }]',
            '["a", { x = "y" }]',
        ):
            self.check(f"[access]\npublish = {written}", "access.publish[1]", '{ env = "NAME" }')
        self.check("[access]\nadmin = [5]", "access.admin[0]", '{ env = "NAME" }')
        self.check('[access]\nadmin = "loopback"', "access.admin", "expected an array")
        self.check('[access]\npublish = "everybody"', "access.publish", '"loopback"')
        self.check('[access]\npublish = { env = "A" }', "access.publish", "expected")

    def test_all_of_a_file_at_once(self) -> None:
        problems = self.problems(
            "[server]\npace = 1\n[access]\nx = 1\n[streams.a]\nkeep = 0\n[y]\n[sources.z]"
        )
        self.assertEqual(
            ["server.pace", "access.x", "sources.z", "streams.a.keep", "y"],
            [problem.partition(":")[0] for problem in problems],
        )

    def test_all_of_a_table_at_once(self) -> None:
        tiles = "[[walls.tiles]]\nstream = 5\nshwo = 1\n[[walls.tiles]]\nstreams = []\n"
        for text, wanted in (
            ('[server]\npace = 1\nmax_viewers = "x"\nport = 1', "pace max_viewers port"),
            ("[streams.a]\nkeep = 0\ntitle = 5\nwran = 1", "keep title wran"),
            ("[access]\npublish = ['', 'good', 5]\nadmin = 1", "publish[0] publish[2] admin"),
            ("[sources.a]\nquery = 5\nevery = 5", "query every database"),
            (
                f"[[walls]]\nrotate = 5\n{tiles}",
                "rotate tiles[0].stream tiles[0].shwo tiles[1].streams name",
            ),
        ):
            said = [problem.partition(": ")[0] for problem in self.problems(text)]
            paths = [path.partition(".")[2].removeprefix("a.") for path in said]
            self.assertEqual(wanted.split(), paths)

    def test_a_misspelt_key_that_tells_the_kind(self) -> None:
        text = "[sources.a]\n{} = 'SELECT 1'\ndatabase = 'sqlite:///x'"
        self.check(text.format("qeury"), "sources.a.qeury", "unknown key; did you mean query?")
        self.check(text.format("every"), "sources.a", "say which kind")

    @given(st.text(st.characters(codec="utf-8"), max_size=30))
    def test_any_text_is_a_configuration_or_an_error(self, text: str) -> None:
        try:
            read(text)
        except ConfigError as error:
            self.assertTrue(error.problems)

    @given(
        st.sampled_from(["server", "access", "sources", "streams", "walls"]),
        st.sampled_from(["a", "pace", "publish", "keep", "origins"]),
        st.sampled_from(["5", "true", '"5s"', "[]", "[[]]", "{}", "{a = {}}", "1979-05-27", "nan"]),
    )
    def test_any_value_anywhere(self, table: str, key: str, written: str) -> None:
        try:
            read(f"[{table}]\n{key} = {written}")
        except ConfigError as error:
            for problem in error.problems:
                self.assertTrue(problem.startswith(table), problem)


class WrittenFormTests(SynchronousTestCase):
    def test_forms(self) -> None:
        self.assertEqual(0.5, Duration.parse("500ms"))
        self.assertEqual(Keep(7), Keep.parse(7))
        self.assertEqual(Keep(None, 60), Keep.parse("1m"))
        self.assertNotEqual(Keep(7), Keep(8))
        self.assertEqual(hash(Secret("a")), hash(Secret("a")))
        self.assertNotEqual(Secret("a"), Secret(env="a"))
