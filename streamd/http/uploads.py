"""Bodies of requests: which of them are received, how large they may be, and how slow."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from streamd.core.errors import Refused
from streamd.core.quota import Quota, Share
from streamd.http.access.client_address import ClientAddress
from streamd.http.request import NeedsBody
from streamd.reactor.deadline import Deadline

MAX_BODY = 1024 * 1024
"""The most bytes of a body: some ten thousand numbers in one PATCH."""

SMALL_BODY = 16 * 1024
"""Bytes of a body that count towards no room, so that a number can be published at any time."""

MAX_BODIES = 8 * MAX_BODY
"""The most bytes of all bodies being received from clients that may publish."""

MAX_OPEN_BODIES = 4 * MAX_BODY
"""The most bytes of all bodies being received from anyone, because the token is in the body."""

CHUNK = 64
"""The least bytes that a chunk of a body counts: a megabyte in chunks of one byte takes a second."""

RATE = 8 * 1024
"""The least bytes a second of a body that takes room: a line of 100 kbit/s has 12 KiB."""

LOOK_EVERY = 2.0
"""Seconds between two checks of the rate: a lost packet may be sent again within them."""


class Uploads:
    """The room for the bodies that are being received.

    :ivar proven: the room of clients whose head proves that they may publish.
    :ivar open: the room of anyone.
    """

    def __init__(self, clock: IReactorTime, share: Share | None = None) -> None:
        """:param share: the part of the room that one client address may take."""
        self.proven = Quota(MAX_BODIES, share)
        self.open = Quota(MAX_OPEN_BODIES, share)
        self._clock = clock

    def begin(
        self, asked: object, client: ClientAddress, refuse: Callable[[Failure], None]
    ) -> Upload:
        """Begin to receive a body.

        :param asked: the answer to the head; only a :class:`NeedsBody` allows a large body.
        :param refuse: called if the body comes too slowly.
        """
        needed = isinstance(asked, NeedsBody)
        room = self.open if isinstance(asked, NeedsBody) and asked.from_anyone else self.proven
        return Upload(room, client.group, MAX_BODY if needed else SMALL_BODY, self._clock, refuse)


class Upload:
    """One body that is being received.

    :ivar size: its bytes so far, as :data:`MAX_BODY` counts them.
    """

    def __init__(
        self,
        room: Quota,
        client: str,
        limit: int,
        clock: IReactorTime,
        refuse: Callable[[Failure], None],
    ) -> None:
        """:param client: the address under which the client is counted.

        :param limit: the most bytes of this body.
        """
        self.size = 0
        self._room = room
        self._client = client
        self._limit = limit
        self._refuse = refuse
        self._received = 0
        self._seen = 0  # of the size, at the last check of the rate
        self._look = Deadline(clock)

    def check_length(self, length: int) -> None:
        """Refuse with 413 a body of more bytes than the limit."""
        if length > self._limit:
            raise Refused(413, "too-large", f"a body may have {self._limit // 1024} KiB here")

    def add(self, length: int) -> None:
        """Count a part of the body.

        :raises Refused: 413 if the body is too long, 503 if there is no room for it.
        """
        self._received += length
        self.check_length(max(self._received, self.size + max(length, CHUNK) - CHUNK))
        size = self.size + max(length, CHUNK)
        more = _large(size) - _large(self.size)
        if more:
            self._room.check(self._client, more, "large requests under way")
            self._room.take(self._client, more)
        self.size = size
        if more and not self._look:
            self._look.set(LOOK_EVERY, self._check_rate)

    def _check_rate(self) -> None:
        if self.size - self._seen < RATE * LOOK_EVERY:
            message = f"a large body has to come with {RATE // 1024} KiB a second"
            self._refuse(Failure(Refused(408, "too-slow", message)))
        else:
            self._seen = self.size
            self._look.set(LOOK_EVERY, self._check_rate)

    def end(self) -> None:
        """Give the room back: the body is complete, or its connection is lost."""
        self._look.cancel()
        if _large(self.size):
            self._room.give_back(self._client, _large(self.size))
        self.size = 0


def _large(size: int) -> int:
    """Return how many bytes of a body with this size take room."""
    return max(0, size - SMALL_BODY)
