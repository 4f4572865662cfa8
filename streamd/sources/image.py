"""Publishes a picture file of the configuration's folder: a floor plan, the still of a camera.

The value says where the daemon serves the picture (``http/reading/pictures.py``), so every node can
show it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed

from streamd.config.kind import Kind, Surroundings
from streamd.config.picture_file import PictureLook, PictureName, look_at
from streamd.core.duration import Duration
from streamd.core.presentation import time_text
from streamd.reactor.worker import Worker
from streamd.sources.errors import SourceError
from streamd.sources.polling import DONE, PolledSource, Polling
from streamd.sources.settings import SourceSettings

EVERY = Duration(10)
"""Seconds between two looks at the file."""


class ImageSettings(SourceSettings, frozen=True, kw_only=True):
    """The table ``[sources.NAME]`` with ``image``.

    :ivar max_age: the stream is late if the file was last written more than this many seconds ago.
    """

    image: PictureName
    every: Duration = EVERY
    max_age: Duration | None = None
    whole: bool = True


class ImageSource(PolledSource):
    """Looks at a file at an interval, in a thread: a network drive may hang."""

    def __init__(self, name: str, settings: ImageSettings, surroundings: Surroundings) -> None:
        self._name, self._settings = name, settings
        self._base: Path = surroundings.base
        self._now = surroundings.now
        self._zone = surroundings.zone
        self._worker = Worker(surroundings.reactor, f"source {name}")
        self._last: PictureLook | None = None
        self._polling = Polling(self._read, settings.every, surroundings.reactor)

    def stop(self) -> None:
        self._polling.stop()
        self._worker.stop()

    def _read(self) -> Deferred[Any]:
        return self._worker.run(self._look).addCallback(self._publish)

    def _look(self) -> PictureLook:
        try:
            return look_at(self._base, self._settings.image, self._last)
        except ValueError as error:
            raise SourceError(str(error)) from None

    def _publish(self, look: PictureLook) -> Deferred[Any]:
        if self._polling.stopped:
            return succeed(DONE)
        self._last = look
        now = self._now()
        put = self._feed.put(value_of(self._name, look), min(look.written, now))
        age = self._settings.max_age
        if age is not None and now - look.written > age:
            why = f"no newer picture since {time_text(look.written, now, self._zone)}"
            put.addCallback(lambda _: self._feed.waits(why))
        return put.addCallback(lambda _: DONE)


def value_of(source: str, look: PictureLook) -> dict[str, Any]:
    """Return the value of a picture: its address relative to the wall's, its type, bytes and time."""
    picture = look.picture
    written = datetime.fromtimestamp(look.written, UTC)
    return {
        "url": f"pictures/{source}?v={picture.version}",
        "type": picture.kind,
        "size": len(picture.body),
        "written": written.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


KIND = Kind("image", frozenset(("image",)), ImageSettings, ImageSource)
