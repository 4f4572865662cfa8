"""The plain wire format: one JSON object of values, for any page that can parse JSON.

A client copies the members of each message into its state (``Object.assign``).  The first message
is the whole state::

    <- {"variable": 41, "orders": 7}         first the state, then what changed
    <- {"variable": 44, "gone": null}
"""

from __future__ import annotations

from collections.abc import Iterable

from streamd.core.cursor import Answer
from streamd.core.update import Update
from streamd.wire.encoding import Format, Formatted, Payload, fitting, member


def plain_update(update: Update) -> bytes:
    """Return the JSON member for one update; its value is ``null`` if the stream was forgotten."""
    return member(update.stream, update.value or b"null")


def _write_plain(answer: Answer, texts: Iterable[bytes]) -> Formatted:
    """Make one JSON object of the changed members; the first may be ``{}``, if there are no streams."""
    if not answer.updates:
        return [Payload("state", b"{}")] if answer.first else [], answer.at, False
    updates = answer.updates
    members = fitting(texts)
    more = len(members) < len(updates)
    text = b"{" + b",".join(members) + b"}"
    at = updates[len(members) - 1].at if more else answer.at
    return [Payload("state", text)], at, more


PLAIN_FORMAT = Format("plain", plain_update, _write_plain)
