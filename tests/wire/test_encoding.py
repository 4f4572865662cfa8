"""Messages of bounded length, whatever they say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.wire.encoding import MAX_MESSAGE, PIECE, fitting, member, packed


class PackedTests(SynchronousTestCase):
    @given(st.lists(st.integers(0, 3 * PIECE // 2), max_size=6))
    def test_pieces_are_the_same_bytes_none_of_them_long(self, sizes: list[int]) -> None:
        parts = [bytes([65 + n]) * size for n, size in enumerate(sizes)]
        pieces = [*packed(parts)]
        self.assertEqual(b"".join(parts), b"".join(pieces))
        self.assertTrue(all(0 < len(piece) <= PIECE for piece in pieces))
        self.assertLessEqual(len(pieces), 1 + 2 * sum(sizes) // PIECE)


class FittingTests(SynchronousTestCase):
    @given(st.lists(st.integers(0, MAX_MESSAGE // 2), min_size=1, max_size=6))
    def test_as_many_texts_as_one_message_may_have(self, sizes: list[int]) -> None:
        texts = [b"x" * size for size in sizes]
        some = fitting(texts)
        self.assertEqual(texts[: len(some)], list(some))
        self.assertLessEqual(sum(map(len, some)), MAX_MESSAGE)
        if len(some) < len(texts):
            self.assertGreater(sum(map(len, texts[: len(some) + 1])) + len(some), MAX_MESSAGE // 2)

    def test_a_text_that_fits_no_message_goes_alone(self) -> None:
        self.assertEqual(1, len(fitting([b"x" * (2 * MAX_MESSAGE), b"y"])))


class MemberTests(SynchronousTestCase):
    def test_a_member_of_an_object(self) -> None:
        self.assertEqual(b'"orders":42', member("orders", b"42"))
