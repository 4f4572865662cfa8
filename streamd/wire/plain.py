"""The plain wire format: one JSON object of values, for any page that can parse JSON.

A client assigns each message over the state that it has.  The first message is the whole state::

    <- {"variable": 41, "orders": 7}         first the state, then what changed
    <- {"variable": 44, "gone": null}
"""

from __future__ import annotations

from streamd.core.catchup import Answer
from streamd.wire.encoding import Formatted, Payload, fitting, member


def plain(answer: Answer) -> Formatted:
    """The members that changed, as one JSON object; ``{}`` first when there is nothing yet."""
    if not answer.updates:
        return Formatted([Payload("state", b"{}")] if answer.first else [], answer.at, False)
    updates = answer.updates
    members = fitting(member(u.stream, u.value or b"null") for u in updates)
    more = len(members) < len(updates)
    text = b"{" + b",".join(members) + b"}"
    at = updates[len(members) - 1].at if more else answer.at
    return Formatted([Payload("state", text)], at, more)
