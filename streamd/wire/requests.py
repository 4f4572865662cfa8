"""Parses the requests of viewers: query strings and ``streamd.v1`` messages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from streamd.core.duration import parse_duration
from streamd.core.errors import Refused
from streamd.core.selection import Selection
from streamd.core.type_errors import message_fault
from streamd.core.update import At, Name, Position, check_time, parse_position

LOG_HEADER = "Streamd-Log"
"""The header in which an HTTP source sends the life of its log.  A daemon of the same log refuses the
request: streams that are made of the daemon's own streams would grow without end."""

PACE = 0.033
"""Seconds between two flushes to one viewer: thirty a second, as often as a wall can show."""

MAX_PACE = 60.0
MAX_HISTORY = 100_000
POINTS = (2, 5000)


class Subscription(NamedTuple):
    """The request of a viewer, from a query string or a ``subscribe`` message.

    :ivar selection: the streams.
    :ivar pace: seconds between two flushes, :data:`PACE` times a power of two.
    :ivar after: the position after which the viewer asks to resume; None if it sent no valid one.
    :ivar asked: whether it sent a position, valid or not.
    :ivar history: the number of updates of each stream in the first answer.
    """

    selection: Selection
    pace: float = PACE
    after: Position | None = None
    asked: bool = False
    history: int = 1


def parse_query(query: Mapping[str, str]) -> Subscription:
    """Parse ``?streams=orders,db.*&after=…&history=100&pace=1s``; unknown keys are ignored.

    :raises Refused: 400; the message names the key.
    """
    after = query.get("after")
    return Subscription(
        _selection(query.get("streams")),
        round_pace(query.get("pace")),
        None if after is None else parse_position(after),
        after is not None,
        parse_history(query.get("history", "1")),
    )


@lru_cache(maxsize=256)
def _selection(streams: str | None) -> Selection:
    return Selection(None if streams is None else [name for name in streams.split(",") if name])


def parse_history(text: str) -> int:
    """Return the number in ``?history=``.

    :raises Refused: 400 if it is not a positive whole number.
    """
    count = _whole(text)
    if count >= 1:
        return min(count, MAX_HISTORY)
    raise Refused(400, "bad-history", f"history: expected a number from 1 to {MAX_HISTORY}")


def parse_points(text: str) -> int:
    """Return the number in ``?points=``, to which a history is thinned.

    :raises Refused: 400 if it is not a whole number within :data:`POINTS`.
    """
    low, high = POINTS
    if low <= _whole(text) <= high:
        return int(text)
    raise Refused(400, "bad-points", f"points: expected a number from {low} to {high}")


def parse_period(query: Mapping[str, str], now: float) -> tuple[int, int]:
    """Return ``from`` and ``to`` of a query, in whole seconds since the epoch.

    Both are seconds, or a duration before now such as ``-24h``.  ``to`` is now by default, and at
    most.  Whole seconds let equal requests of several screens share one answer.

    :raises Refused: 400 if one of them is not a time, or ``from`` is not before ``to``.
    """
    begin, end = (_moment(query.get(key, "-0s"), key, now) for key in ("from", "to"))
    end = min(end, now)
    if begin >= end:
        raise Refused(400, "bad-period", "from: expected a time before to, and before now")
    return math.floor(begin), math.ceil(end)


def _moment(text: str, key: str, now: float) -> float:
    try:
        time = now - parse_duration(text[1:]) if text.startswith("-") else float(text)
        check_time(max(time, 0.0))
    except (ValueError, Refused):
        wanted = 'expected seconds since 1970, or a duration before now such as "-24h"'
        raise Refused(400, "bad-period", f"{key}: {wanted}") from None
    return max(time, 0.0)


def _whole(text: str) -> int:
    """Return the whole number in a text; 0 if the text is not a number."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


class ScreenReport(msgspec.Struct, frozen=True, tag_field="type", tag="screen"):
    """The message ``-> {"type": "screen", …}``: a screen reports which wall it shows.

    :ivar at: the position up to which the screen shows the state.
    :ivar delay: seconds by which it lags; None if it does not know.
    """

    name: Name
    wall: Name
    at: At
    delay: float | None


class Subscribe(msgspec.Struct, frozen=True, tag_field="type", tag="subscribe"):
    """The message ``-> {"type": "subscribe", …}``: a viewer changes its subscription."""

    streams: list[str] | None = None
    after: str | None = None
    history: int = 1
    pace: str | None = None

    def subscription(self) -> Subscription:
        """Return the subscription.

        :raises Refused: 400; the message names the field.
        """
        after = None if self.after is None else parse_position(self.after)
        return Subscription(
            Selection(self.streams),
            round_pace(self.pace),
            after,
            self.after is not None,
            parse_history(str(self.history)),
        )


class PublishedUpdate(msgspec.Struct, frozen=True, gc=False):
    """One update of a ``publish`` message.

    :ivar value: any JSON.
    :ivar time: when the value was true, in seconds since the epoch; None for now.
    """

    stream: str
    value: msgspec.Raw
    time: float | None = None


class Publish(msgspec.Struct, frozen=True, tag_field="type", tag="publish"):
    """The message ``-> {"type": "publish", …}``: a client publishes, all updates or none.

    :ivar key: an idempotency key.
    """

    updates: list[PublishedUpdate]
    key: str | None = None


_SAID = msgspec.json.Decoder(Subscribe | ScreenReport | Publish)  # of two, a tag may not be missing


def parse_message(text: bytes) -> Subscription | ScreenReport | Publish:
    """Parse a ``streamd.v1`` message from a viewer.

    :raises Refused: with the code ``bad-message`` or the code for a wrong field.  The connection stays
        open.
    """
    try:
        said = _SAID.decode(text)
    except RecursionError:
        raise Refused(400, "bad-message", "nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Refused(400, "bad-message", message_fault(error, _SAID.type)) from None
    return said.subscription() if isinstance(said, Subscribe) else said


def round_pace(text: str | None) -> float:
    """Round a pace up to :data:`PACE` times a power of two, so that viewers can share messages.

    :raises Refused: 400 if the text is not a duration.
    """
    if text is None:
        return PACE
    try:
        wanted = parse_duration(text)
    except ValueError as error:
        raise Refused(400, "bad-pace", f"pace: {error}") from None
    pace = PACE
    while pace < min(wanted, MAX_PACE):
        pace *= 2
    return pace


def parse_json_object(text: bytes) -> dict[str, Any]:
    """Decode a message or body that must be a JSON object.

    :raises Refused: 400 if it is not a JSON object.
    """
    try:
        value = msgspec.json.decode(text)
    except RecursionError:
        raise Refused(400, "bad-json", "nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Refused(400, "bad-json", f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Refused(400, "bad-json", "expected a JSON object")
    return value
