"""WebSocket frames."""

from __future__ import annotations

import random
import zlib

from twisted.trial.unittest import SynchronousTestCase

from streamd.wire.frames import DEFLATE_WINDOW, PING, deflated_frame, fragments, frame


class FrameTests(SynchronousTestCase):
    def test_a_long_text_goes_in_fragments(self) -> None:
        self.assertEqual([frame(b"hi")], [*fragments([b"hi"])])
        three = [*fragments([b"a", b"b", b"c"])]
        self.assertEqual([b"\x01\x01a", b"\x00\x01b", b"\x80\x01c"], three)

    def test_frames_of_rfc_6455(self) -> None:
        for size, head in (
            (0, "8100"),
            (125, "817d"),
            (126, "817e007e"),
            (65535, "817effff"),
            (65536, "817f0000000000010000"),
        ):
            self.assertEqual(bytes.fromhex(head) + b"x" * size, frame(b"x" * size))
        self.assertEqual(b"\x89\x00", PING)

    def test_a_text_is_compressed_where_that_pays(self) -> None:
        long, noise = b"[" + b"1," * 500 + b"1]", random.Random(1).randbytes(500)
        self.assertEqual(frame(b"{}"), deflated_frame(b"{}"))
        self.assertEqual(frame(noise), deflated_frame(noise))
        data = deflated_frame(long)
        self.assertEqual((0xC1, len(data) - 2), (data[0], data[1]))
        inflated = zlib.decompressobj(-DEFLATE_WINDOW).decompress(data[2:] + b"\0\0\xff\xff")
        self.assertEqual(long, inflated)
