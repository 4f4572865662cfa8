"""The tables ``[alerts.NAME]``: which conditions of streams are reported, and to which addresses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from streamd.config.fields import Secret
from streamd.core.duration import Duration
from streamd.core.errors import Refused
from streamd.core.selection import MAX_PATTERNS, Pattern, Selection

MAX_ALERTS = 100
"""The most alerts: each one looks at all streams every second, which takes a millisecond."""

MAX_RECEIVERS = 8
"""The most addresses of one alert: a message that waits is kept for each of them."""

MIN_REMIND = 10.0
"""The least seconds between two reminders: what happens within ten seconds is one message."""

Condition = Literal["critical", "failed", "warn", "late"]
"""The states that an alert can report, the worst first: the order of ``web/text/ranks.js``."""


class AlertTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table ``[alerts.NAME]``.

    :ivar streams: names and globs of the streams.
    :ivar when: the conditions that count.
    :ivar lasting: the key ``for``: the seconds for which a condition must hold before a message is
        sent.
    :ivar remind: seconds between two reminders; None for no reminders.
    :ivar to: the addresses that get messages; each address is a secret.
    """

    streams: Annotated[tuple[Pattern, ...], msgspec.Meta(min_length=1, max_length=MAX_PATTERNS)]
    to: Annotated[tuple[Secret, ...], msgspec.Meta(min_length=1, max_length=MAX_RECEIVERS)]
    when: Annotated[tuple[Condition, ...], msgspec.Meta(min_length=1)] = ("critical", "failed")
    lasting: Duration = msgspec.field(name="for", default=Duration(60))
    remind: Duration | None = None

    def problems(self, name: str) -> Iterator[tuple[str, str]]:
        """Yield the key path and an error text for each value that cannot be used.

        :param name: the name of the alert.
        """
        try:
            Selection(self.streams)
        except Refused as refused:
            yield "streams", refused.message
        if self.remind is not None and self.remind < MIN_REMIND:
            yield "remind", f'expected at least {MIN_REMIND:g} s, such as "4h"'
