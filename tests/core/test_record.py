"""Records: what they say, and nothing of damaged ones."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.record import read_record


class RecordTests(SynchronousTestCase):
    def test_a_record_is_read_as_its_type(self) -> None:
        self.assertEqual(read_record(b'["a", "b"]', list[str]), ["a", "b"])

    def test_a_missing_record_is_none(self) -> None:
        self.assertIsNone(read_record(None, list[str]))

    def test_a_damaged_record_is_none(self) -> None:
        damaged = (b"", b"[", b"\xff", b'["\xff"]', b'{"a": 1}', b"[1]", b"[" * 100_000)
        for record in damaged:
            self.assertIsNone(read_record(record, list[str]), record[:10])
