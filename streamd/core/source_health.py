"""The record of a source: whether its last run worked, or why not."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from streamd.core.description import Description
from streamd.core.duration import Duration
from streamd.core.health import Trouble, standing


class SourceHealth:
    """The one owner of the fact that a source works or fails; the health of streams follows from it.

    :class:`~streamd.core.sources.Sources` alone changes it.

    :ivar streams: names of the streams that the source made and nobody has forgotten since.
    :ivar waiting: names of streams that the source has not made and that fail with it all the same:
        configured ones below its name, and one that somebody published under its very name.
    :ivar failure: its last failure, of which all its streams fail.
    :ivar refused: what its last wrong reading said of members that are no streams.
    :ivar worked: the number of its newest reading that is in the log.
    :ivar troubled: the number of its newest trouble of any kind; 0: it never had one.
    """

    def __init__(self, name: str, expect: Duration | None = None) -> None:
        """:param expect: of its streams, unless they are configured otherwise."""
        self.name = name
        self.expect = expect
        self.streams: set[str] = set()
        self.waiting: set[str] = set()
        self.failure: Trouble | None = None
        self.refused: Trouble | None = None
        self.worked = 0
        self.troubled = 0

    @property
    def fails(self) -> bool:
        """Whether it failed, and no reading that began later is in the log."""
        return standing(self.failure, self.worked) is not None

    @property
    def refuses(self) -> bool:
        """Whether its newest reading in the log had members that could be no streams, or one since."""
        return standing(self.refused, self.worked) is not None

    @property
    def speaks(self) -> bool:
        """Whether it has something to say under its own name, as no stream of its own can say it."""
        return self.refuses or (self.fails and not self.streams)

    def troubles(self, stream: str, proved: int) -> Iterator[Trouble | None]:
        """Yield the troubles of this source that stand for a stream.

        :param proved: the number of the newest reading that proved the stream.
        """
        yield standing(self.failure, proved if stream in self.streams else self.worked)
        if stream == self.name:
            yield standing(self.refused, self.worked)

    def describe(self, configured: Description | None) -> Description:
        """Return how a stream of this source is described."""
        description = configured or Description()
        if description.expect is None and self.expect is not None:
            return msgspec.structs.replace(description, expect=self.expect)
        return description
