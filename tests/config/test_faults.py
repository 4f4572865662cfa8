"""Every fault of a table, with its key path."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from streamd.config.faults import closest, faults, suggestion
from streamd.core.duration import Duration
from streamd.core.limit import Limit


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    every: Duration = Duration(1)


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    words: tuple[str, ...] | str = ()
    limit: Limit | None = None

    def __post_init__(self) -> None:
        if self.words == ("bad",):
            raise ValueError("expected good words")


class FaultsTests(SynchronousTestCase):
    def paths(self, table: Any) -> list[str]:
        return [line.partition(": ")[0] for line in faults("t", table, Outer)]

    def test_a_good_table_has_none(self) -> None:
        self.assertEqual([], self.paths({"inner": {"name": "a", "every": "5s"}, "limit": "> 5"}))

    def test_each_key_of_each_table_has_its_own(self) -> None:
        table = {
            "inner": {"every": 5, "nmae": "a"},
            "many": [{"name": "good"}, {"name": 5, "every": "0s"}, 5],
            "words": ["good", 5],
            "limit": 5,
        }
        wanted = (
            "inner.every inner.nmae inner.name many[1].name many[1].every many[2] words[1] limit"
        )
        self.assertEqual([f"t.{key}" for key in wanted.split()], self.paths(table))

    def test_a_rule_of_the_whole_table(self) -> None:
        self.assertEqual(["t: expected good words"], list(faults("t", {"words": ["bad"]}, Outer)))

    def test_a_table_that_is_none(self) -> None:
        self.assertEqual(["t: expected object, got int"], list(faults("t", 5, Outer)))


class SuggestionTests(SynchronousTestCase):
    def test_the_name_that_is_meant(self) -> None:
        known = ["command", "query", "warn"]
        for written, meant in {"comand": "command", "wran": "warn", "port": None}.items():
            self.assertEqual(meant, closest(written, known))

    def test_all_names_where_none_is_meant(self) -> None:
        self.assertEqual("did you mean warn?", suggestion("wran", ["warn", "query"]))
        self.assertEqual("there are query, warn", suggestion("x", ["warn", "query"]))
        self.assertEqual("there are no keys here", suggestion("x", []))
