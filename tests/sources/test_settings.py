"""The keys of every table of a source."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.config.faults import convert, faults
from streamd.sources.registry import SOURCE_KINDS
from streamd.sources.settings import SourceSettings


class SourceSettingsTests(SynchronousTestCase):
    def test_every_kind_has_them(self) -> None:
        common = set(SourceSettings.__struct_fields__)
        for kind in SOURCE_KINDS:
            self.assertLessEqual(common, set(kind.settings.__struct_fields__), kind.name)

    def test_what_is_left_out(self) -> None:
        settings = convert({}, SourceSettings)
        self.assertEqual((False, False, None), (settings.whole, settings.repeat, settings.expect))

    def test_other_keys_are_refused(self) -> None:
        [fault] = faults("sources.a", {"expct": "5s"}, SourceSettings)
        self.assertEqual("sources.a.expct: unknown key; did you mean expect?", fault)
