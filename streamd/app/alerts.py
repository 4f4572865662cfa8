"""The alerts of a service, for commands and for metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from streamd.cluster.shift import Shift
from streamd.http.access.access import Access
from streamd.http.admin.alerts import AlertCommands
from streamd.journals.journal import Journal
from streamd.sources.alerts.alert import AlertControl, AlertSource


def alerts_of(shifts: Iterable[Shift]) -> dict[str, AlertSource]:
    """Return the alerts among sources, by the names of their tables."""
    sources = (shift.source for shift in shifts)
    return {source.name: source for source in sources if isinstance(source, AlertSource)}


def alert_commands(
    access: Access,
    shifts: Callable[[], Iterable[Shift]],
    journal: Journal,
    now: Callable[[], float],
) -> AlertCommands:
    """Make the part of the site that mutes and tests alerts.

    :param shifts: returns the shifts of all sources now: a new configuration replaces them.
    :param now: returns seconds since the epoch.
    """

    def find(name: str) -> AlertControl | None:
        alert = alerts_of(shifts()).get(name)
        return None if alert is None else AlertControl(alert, journal, now)

    return AlertCommands(access, find)
