"""Reads the JSON body of a request that commands something.  This module is pure."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from streamd.core.duration import parse_duration
from streamd.core.errors import Refused
from streamd.core.presentation import duration_text
from streamd.core.type_errors import message_fault

T = TypeVar("T")


def parse_command(decoder: msgspec.json.Decoder[T], body: bytes, code: str) -> T:
    """Return the command in a body.

    :param code: the error code for a body that is not such a command.
    :raises Refused: 400 with this code.
    """
    try:
        return decoder.decode(body)
    except RecursionError:
        raise Refused(400, code, "nested too deeply") from None
    except (msgspec.MsgspecError, ValueError) as error:  # ValueError: bytes that are not UTF-8
        raise Refused(400, code, message_fault(error, decoder.type)) from None


def parse_lasting(written: str, most: float, code: str) -> float:
    """Return the seconds of a command's member ``for``.

    :param most: the most seconds.
    :param code: the error code for a text that is not such a duration.
    :raises Refused: 400 with this code.
    """
    try:
        seconds = parse_duration(written)
    except ValueError as error:
        raise Refused(400, code, f"for: {error}") from None
    if not 0 < seconds <= most:
        text = f"for: expected more than 0 s, and at most {duration_text(most)}"
        raise Refused(400, code, text)
    return seconds
