"""The log of the daemon: its form, its rate, and a reader that may stall."""

from __future__ import annotations

import os
import sys
from typing import Any

from streamd.config.tables import LogSettings
from streamd.reactor.log_format import is_journal, journal_line, json_line
from streamd.reactor.log_limit import Quieted
from streamd.reactor.log_output import LogOutput
from streamd.reactor.private_twisted import is_file_observer, log_observers, swap_stdout

_LINES = {"journal": journal_line, "json": json_line}


def begin_log(settings: LogSettings, clock: Any) -> None:
    """Give the observers that twistd has made the configured form, and limit their rate.

    An observer of ``--logger`` or ``--syslog`` keeps its own form.

    :param clock: the reactor.
    """
    observers = log_observers()
    observers[:] = [
        each if isinstance(each, Quieted) else Quieted(_formed(each, settings, clock), clock)
        for each in observers
    ]


def _formed(observer: Any, settings: LogSettings, clock: Any) -> Any:
    if not is_file_observer(observer):
        return observer
    form = settings.format
    output = sys.__stdout__
    is_output = output is not None and swap_stdout(
        observer, lambda: LogOutput(output.fileno(), clock)
    )
    if form is None and is_output and output and is_journal(output.fileno(), os.environ):
        form = "journal"
    if form in _LINES:
        observer.formatEvent = _LINES[form]
    return observer
