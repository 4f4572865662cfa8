"""Pictures are recognised by their content."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.picture import MAX_PICTURE, Picture, media_type
from tests.support.pictures import JPEG, SVG, WEBP, png

PICTURES = {
    "image/png": png(),
    "image/jpeg": JPEG,
    "image/webp": WEBP,
    "image/svg+xml": SVG,
}


class PictureTests(SynchronousTestCase):
    def check(self, body: bytes, why: str) -> None:
        error: ValueError = self.assertRaises(ValueError, Picture.parse, body)
        self.assertEqual(why, str(error))

    def test_types(self) -> None:
        for kind, body in PICTURES.items():
            self.assertEqual(kind, Picture.parse(body).kind)

    def test_version_is_that_of_the_content(self) -> None:
        self.assertEqual(Picture.parse(png()), Picture.parse(png()))
        self.assertNotEqual(Picture.parse(png()).version, Picture.parse(png(grey=9)).version)

    def test_beginnings_of_svg(self) -> None:
        for start in (
            b"\xef\xbb\xbf",
            b'<?xml version="1.0" encoding="utf-8"?>\n',
            b"<?xml version='1.0'?><!-- by <svg> --> <!-- x -->\n",
            b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/x.dtd">\n',
            b"\n  ",
        ):
            self.assertEqual("image/svg+xml", Picture.parse(start + SVG).kind)

    def test_invalid_picture(self) -> None:
        for body in (
            b"",
            b"GIF89a",
            b"<html><svg></svg></html>",
            b"<svgx></svgx>",
            b"<!-- <svg> -->",
            b'<!DOCTYPE svg [<!ENTITY a "b">]><svg></svg>',
            b"RIFF\0\0\0\0WAVE",
            b'[access]\nadmin = ["secret"]',
        ):
            self.check(body, "is no PNG, JPEG, WebP or SVG")

    def test_picture_that_is_being_written(self) -> None:
        for body in (png(40, 40)[:-13], JPEG[:-2], WEBP[:-1], SVG[:-7]):
            self.check(body, "is not complete")

    def test_bytes_behind_the_end_do_no_harm(self) -> None:
        for body in (png() + b"\n", JPEG + b"\0" * 1000, WEBP + b"\0", SVG + b"\n\n"):
            self.assertTrue(Picture.parse(body))

    def test_size(self) -> None:
        self.assertTrue(Picture.parse(JPEG[:-2] + b" " * (MAX_PICTURE - len(JPEG)) + JPEG[-2:]))
        self.check(JPEG + b" " * MAX_PICTURE, "is larger than 1 MiB")

    @given(st.binary(max_size=300))
    def test_any_bytes(self, body: bytes) -> None:
        self.assertIn(media_type(body), {None, *PICTURES})

    def test_long_beginning_takes_no_long_time(self) -> None:
        for body in (
            b"<!-- " * 200_000,
            b"<!-- -->" * 120_000,
            b" " * MAX_PICTURE,
            b"<?xml" * 200_000,
        ):
            self.assertIsNone(media_type(body))
