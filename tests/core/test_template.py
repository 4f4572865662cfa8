"""Templates of stream names."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.core.template import Template
from streamd.core.values import BadValue


class TemplateTests(SynchronousTestCase):
    def name(self, template: str, **found: Any) -> str:
        return Template.parse(template).name(lambda field: found.get(field, BadValue("nothing")))

    def test_fields_become_parts_of_the_name(self) -> None:
        for template, name in (
            ("plain", "plain"),
            ("build.{a}", "build.web-1"),
            ("{a}", "web-1"),
            ("{a}.{b}.{c}", "web-1.7.true"),
            ("x{b}y{b}z", "x7y7z"),
            ("n.{d}", "n.a_b_c__"),
            ("n.{e}", "n.1.5"),
        ):
            found = {"a": "web-1", "b": 7, "c": True, "d": "a b/c:é", "e": 1.5}
            self.assertEqual(name, self.name(template, **found), template)

    def test_what_makes_no_name(self) -> None:
        for value in (None, "", [1], {"a": 1}, BadValue("nothing"), "x" * 200):
            error = self.assertRaises(Refused, self.name, "n.{a}", a=value)
            self.assertEqual(400, error.status)
        self.assertRaises(Refused, self.name, "{a}", a="-x")

    def test_invalid_template(self) -> None:
        for text in ("", "a b", "{", "a{}", "{a}}", "-{a}", ".a", "x/{a}", "a" * 129, 7, ["a"]):
            self.assertRaises(ValueError, Template.parse, text)

    def test_glob_has_all_names(self) -> None:
        for template, glob in (("a.{x}.b", "a.*.b"), ("{x}{y}", "*"), ("a", "a")):
            self.assertEqual(glob, Template.parse(template).glob)
