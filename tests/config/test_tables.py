"""The structures of the configuration's tables."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.config.tables import Config


class ConfigTests(SynchronousTestCase):
    def test_without_a_file_it_is_empty(self) -> None:
        config = Config()
        self.assertEqual(
            ({}, {}, (), None), (config.sources, config.streams, config.walls, config.journal)
        )
        self.assertFalse(config.file)
