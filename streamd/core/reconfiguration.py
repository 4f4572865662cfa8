"""Changes the configured streams and the bounds of a state, while its log and its viewers stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamd.core.description import Description
from streamd.core.state import State
from streamd.core.stream import Stream
from streamd.core.streams import Expected


def configure_streams(
    state: State,
    streams: Mapping[str, Description],
    now: float,
    expected: Expected = (),
) -> None:
    """Replace the descriptions of the configured streams.

    A stream that is no longer configured stays if it has a value.

    :param now: seconds since the epoch.
    :param expected: see :class:`~streamd.core.streams.Streams`.
    """
    state.configured, state.expected = streams, expected
    state.sources.reconfigured()
    for stream in [stream for stream in state.streams.values() if not stream.gone]:
        _configure(state, stream, now)
    for name in streams:
        if state.find(name) is None:
            state.add(name, state.description_of(name), now)
            state.sources.came_or_went(name, now)
    state.sources.wait_all(now)


def _configure(state: State, stream: Stream, now: float) -> None:
    configured, source, name = state.configured.get(stream.name), stream.source, stream.name
    stream.configured = configured is not None
    if configured is None and stream.newest is None:
        state.remove(stream, now)
        state.sources.came_or_went(name, now)
        return
    rollup, plain = stream.description.rollup, state.description_of(name)
    # The expect of a source counts for its streams, and may have changed as well.
    state.describe(name, plain if source is None else source.describe(configured), now)
    if stream.description.rollup != rollup:
        state.saving.change_rollup(stream)


def change_bounds(state: State, max_streams: int, max_state: int) -> None:
    """Change how many streams there may be, and how many bytes their history may take.

    History and tombstones beyond a smaller bound are dropped now.  Streams with a value stay.
    """
    state.kept.max_streams, state.kept.max_state = max_streams, max_state
    state.razed([*state.kept.raze(), *state.kept.shed()])


def tell_configuration(state: State, fields: Mapping[str, Any]) -> None:
    """Tell viewers the fields of a ``configuration`` message, if they have changed."""
    if fields != state.configuration:
        state.configuration = fields
        state.revision += 1
        state.configuration_noted = state.revision


def set_private(state: State, private: bool) -> None:
    """Set whether there are viewers who may not read everything.

    If so, viewers do not get the name of the server in the reason why the journal is away.
    """
    if private == state.private:
        return
    state.private = private
    if state.journal is not None:
        state.revision += 1
        state.journal_noted = state.revision
