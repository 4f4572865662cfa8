"""Rights: how selections shrink, and what is refused."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.core.rights import ALL_RIGHTS, NO_RIGHTS, Rights
from streamd.core.selection import ALL_STREAMS, NO_STREAMS, Selection

NAMES = st.text("abc", min_size=1, max_size=4)
PATTERNS = st.lists(st.text("abc*?", min_size=1, max_size=4), max_size=4).map(
    lambda patterns: Selection(patterns, bounded=False)
)


class ShrinkingTests(SynchronousTestCase):
    @given(PATTERNS, PATTERNS, NAMES)
    def test_it_is_the_streams_of_both(self, one: Selection, other: Selection, name: str) -> None:
        self.assertEqual(name in one and name in other, name in one.within(other))

    @given(PATTERNS, PATTERNS)
    def test_equal_pairs_are_equal(self, one: Selection, other: Selection) -> None:
        again = Selection(one.patterns, bounded=False)
        self.assertEqual(one.within(other), again.within(other))
        self.assertEqual(hash(one.within(other)), hash(again.within(other)))
        self.assertEqual(one, one.within(one))

    @given(PATTERNS, st.text("abc*?", min_size=1, max_size=4), NAMES)
    def test_patterns_that_share_a_stream_may_share_one(
        self, one: Selection, pattern: str, name: str
    ) -> None:
        if name in one and name in Selection([pattern]):
            self.assertTrue(one.may_share(pattern))

    def test_patterns_that_can_share_none(self) -> None:
        view = Selection(["shop.*", "web.?"])
        for pattern in ("secret.*", "shop", "web.10", "*.secret", "web.??"):
            self.assertEqual(pattern == "*.secret", view.may_share(pattern), pattern)
        self.assertFalse(NO_STREAMS.may_share("*"))

    def test_all_streams_become_those_that_may_be_read(self) -> None:
        view = Selection(["shop.*"])
        self.assertIs(view, Rights(view).visible(ALL_STREAMS))
        self.assertIs(ALL_STREAMS, ALL_RIGHTS.visible(ALL_STREAMS))

    def test_bounds_of_viewers_do_not_count_for_the_configuration(self) -> None:
        many = [f"wall{number}.*" for number in range(100)]
        self.assertIn("wall99.a", Selection(many, bounded=False))
        self.assertRaises(Refused, Selection, many)


class RefusingTests(SynchronousTestCase):
    rights = Rights(Selection(["shop.*"]), Selection(["build.*"]))

    def refusal(self, call: object, *arguments: object) -> tuple[int, str]:
        refused = self.assertRaises(Refused, call, *arguments)
        return refused.status, refused.code

    def test_names_are_refused_and_globs_shrink(self) -> None:
        for names in (["secret"], ["shop.a", "secret"], ["secret", "*s*"]):
            refusal = self.refusal(self.rights.visible, Selection(names))
            self.assertEqual((403, "no-right"), refusal)
        shrunk = self.rights.visible(Selection(["*s*", "shop.a"]))
        self.assertEqual([True, False], [name in shrunk for name in ("shop.s", "secret")])

    def test_each_kind_of_right_is_its_own(self) -> None:
        self.rights.check_view("shop.a")
        self.rights.check_publish("build.a")
        self.assertEqual((403, "no-right"), self.refusal(self.rights.check_view, "build.a"))
        self.assertEqual((403, "no-right"), self.refusal(self.rights.check_publish, "shop.a"))

    def test_walls(self) -> None:
        for patterns, readable in (
            (["*"], True),
            (["shop.a", "shop.b*"], True),
            (["shop.a", "secret"], False),
            (["shop.*", "secret.*"], False),
        ):
            wall = Selection(patterns)
            self.assertEqual(readable, self.rights.may_read_wall("w", wall), patterns)
            self.assertFalse(NO_RIGHTS.may_read_wall("w", wall))
            self.assertTrue(ALL_RIGHTS.may_read_wall("w", wall))
        granted = self.rights._replace(walls=frozenset(("hall",)))
        self.assertTrue(granted.may_read_wall("hall", Selection(["secret"])))
        self.assertFalse(granted.may_read_wall("lobby", Selection(["shop.a"])))

    def test_one_token_in_two_lists_has_both_rights(self) -> None:
        view, publish = Rights(ALL_STREAMS), Rights(publish=Selection(["a"]))
        self.assertEqual(Rights(ALL_STREAMS, Selection(["a"])), view.plus(publish))
        self.assertEqual(ALL_RIGHTS, publish.plus(ALL_RIGHTS))
