"""Every fault of a table, with its key path."""

from __future__ import annotations

from typing import Any, Literal

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

    def test_a_good_table_has_no_faults(self) -> None:
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

    def test_invalid_table(self) -> None:
        self.assertEqual(["t: expected a table, not a whole number"], list(faults("t", 5, Outer)))


class Lamp(msgspec.Struct, forbid_unknown_fields=True, tag_field="kind", tag="lamp"):
    watts: int
    colour: Literal["white", "red"] = "white"


class Door(msgspec.Struct, forbid_unknown_fields=True, tag_field="kind", tag="door"):
    inner: tuple[Inner, ...] = ()


class TaggedTests(SynchronousTestCase):
    def check(self, table: Any, *wanted: str) -> None:
        self.assertEqual(list(wanted), list(faults("t", table, Lamp | Door)))

    def test_tag_chooses_the_structure(self) -> None:
        self.check({"kind": "door", "inner": [{"name": "a"}]})
        self.check({"kind": "door", "inner": [{}]}, "t.inner[0].name: is missing")
        self.check({"kind": "lamp"}, "t.watts: is missing")

    def test_unknown_tag(self) -> None:
        for table in ({"kind": "gate"}, {"kind": 5}, {"watts": 5}):
            self.check(table, "t.kind: expected one of lamp, door")

    def test_key_of_another_structure(self) -> None:
        problem = 't.watts: door has no option watts; it needs kind = "lamp"'
        self.check({"kind": "door", "watts": 5}, problem)
        self.check({"kind": "door", "inenr": []}, "t.inenr: unknown key; did you mean inner?")

    def test_table_where_an_array_is_expected(self) -> None:
        self.check(
            {"kind": "door", "inner": {}},
            "t.inner: expected an array, not a table; write [[t.inner]]",
        )

    def test_choice(self) -> None:
        problem = "t.colour: expected one of white, red"
        self.check({"kind": "lamp", "watts": 5, "colour": "pink"}, problem)


class SuggestionTests(SynchronousTestCase):
    def test_the_name_that_is_meant(self) -> None:
        known = ["command", "query", "warn"]
        for written, meant in {"comand": "command", "wran": "warn", "port": None}.items():
            self.assertEqual(meant, closest(written, known))

    def test_all_names_if_no_name_is_similar(self) -> None:
        self.assertEqual("did you mean warn?", suggestion("wran", ["warn", "query"]))
        self.assertEqual("there are query, warn", suggestion("x", ["warn", "query"]))
        self.assertEqual("there are no keys here", suggestion("x", []))
