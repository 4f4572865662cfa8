"""What other nodes learn of a source from the journal's records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from unittest import mock

from streamd.core.description import Description
from streamd.core.duration import Duration
from streamd.core.histories.blocks import HEAD
from streamd.core.histories.saving import BACKFILL, PAST
from streamd.core.reconfiguration import configure_streams
from streamd.core.update import ORIGIN
from streamd.sources import records
from tests.support.fakes import LIFE, TODAY
from tests.support.source import SourceTestCase

DAY = 86_400


def described(days: int) -> dict[str, Description]:
    return {"shop.a": Description(rollup=Duration(days * DAY))}


class RecallTests(SourceTestCase):
    """Pasts that another node fills."""

    def setUp(self) -> None:
        self.make(described(8))
        self.stored: dict[str, Mapping[int, bytes | None]] = {}
        shared: Any = mock.Mock()

        async def stored(name: str) -> Mapping[int, bytes | None]:
            return self.stored.get(name, {})

        shared.stored = stored
        patched = mock.patch.object(records, "as_shared", return_value=shared)
        patched.start()
        self.addCleanup(patched.stop)
        self.here = self.daemon.feed("shop")

    def fill(self, days: int, place: bytes) -> None:
        """Have a node with this rollup fill the past of shop.a."""
        self.other = type(self.state)(TODAY, described(days))
        self.other.restore(LIFE, (), ORIGIN, {}, TODAY, 0.0)
        stream = self.other.streams["shop.a"]
        stream.past = past = stream.make_past(TODAY)
        assert past is not None
        past.hear(TODAY - 5000, b"7")
        past.reach(TODAY)
        self.stored.update(self.other.saving.filled("shop", place, {"shop.a": past}))
        assert set(self.stored) == {f"shop{BACKFILL}", f"shop.a{PAST}"}
        assert self.stored[f"shop{BACKFILL}"] == {HEAD: place}

    def keep_up(self, place: bytes) -> bool:
        """Look for news, and return whether the past is known here."""
        self.daemon.times.clock.advance(records.RECALL)
        self.here.keep_up(place)
        past = self.state.streams["shop.a"].past
        return past is not None and past.complete and past.size > 0

    def test_a_past_that_another_node_fills(self) -> None:
        self.fill(8, b"1")
        self.assertTrue(self.keep_up(b"1"))

    def test_a_past_of_a_rollup_that_comes_here_later(self) -> None:
        self.fill(90, b"1")
        self.assertFalse(self.keep_up(b"1"))
        configure_streams(self.state, described(90), TODAY)
        self.assertTrue(self.keep_up(b"1"))
