"""Errors of sources: a text for the wall, and one for the log."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.sources.errors import SourceError, Unreachable


class SourceErrorTests(SynchronousTestCase):
    def test_the_wall_is_not_told_the_detail(self) -> None:
        error = SourceError("the login was refused", "me:secret@db", "database")
        self.assertEqual("the login was refused", error.message)
        self.assertNotIn("secret", str(error))
        self.assertEqual(("me:secret@db", "database"), (error.detail, error.key))

    def test_an_unreachable_server_is_an_error_too(self) -> None:
        self.assertIsInstance(Unreachable("the host is down"), SourceError)
