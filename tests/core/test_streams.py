"""streamd/core/streams.py: what a value changes in the health of its stream."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.description import Description
from streamd.core.duration import Duration
from streamd.core.health.source_health import SourceHealth
from streamd.core.health.verdict import Trouble
from streamd.core.limit import Limit
from streamd.core.stream import PAUSED, Stream
from streamd.core.streams import Streams
from streamd.core.update import Position, Update

TROUBLES = st.none() | st.just(Trouble(3, "no"))


@st.composite
def situations(draw: st.DrawFn) -> Stream:
    """A stream as it may be just before it gets a value at 200: published or made by a source."""
    description = Description(
        expect=draw(st.sampled_from([None, Duration(5.0)])), warn=Limit("> 80")
    )
    stream = Stream("a", description if draw(st.booleans()) else Description(), False, 100.0)
    if draw(st.booleans()):
        stream.source = source = SourceHealth("a")
        source.failure, source.gap = draw(TROUBLES), draw(TROUBLES)
        source.troubled = 3 if source.failure else 0
    stream.proved = draw(st.sampled_from([2, 4]))
    stream.refused = draw(TROUBLES)
    stream.paused = draw(st.booleans())
    stream.doubt = draw(st.sampled_from([None, ""]))
    stream.unreadable = draw(st.none() | st.just("unreadable"))
    stream.proof = draw(st.none() | st.just(100.0))
    if draw(st.booleans()):  # otherwise a change since it was last judged
        stream.judge(draw(st.sampled_from([100.0, 199.0])))
    value = draw(st.sampled_from([b"50", b"90"]))
    stream.history.append(Update("a", 1, Position(200_000, 0), 200.0, value))
    return stream


class HealthTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.streams = Streams({}, 10, 2**20)

    @given(situations())
    def test_a_new_value_leaves_nothing_to_judge(self, stream: Stream) -> None:
        before, revision = stream.health, self.streams.revision
        self.streams.hear(stream, 200.0)
        self.assertEqual(stream.health is not before, self.streams.revision > revision)
        level = stream.level
        stream.judge_level()
        self.assertEqual(level, stream.level)
        self.assertFalse(stream.judge(200.0))

    def test_a_value_ends_every_doubt_except_that_of_a_pause(self) -> None:
        stream = Stream("a", Description(), False, 100.0)
        stream.doubt = ""
        self.assertTrue(stream.judge(100.0))
        self.streams.hear(stream, 150.0)
        self.assertEqual("fresh", stream.health.state)
        stream.paused = True
        for time in (200.0, 250.0):
            self.streams.hear(stream, time)
            self.assertEqual(("late", PAUSED), (stream.health.state, stream.health.error))
        self.assertEqual(2, self.streams.revision)
