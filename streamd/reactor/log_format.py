"""The forms of a log line for machines: for the journal of systemd, and as JSON."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from twisted.logger import LogEvent, LogLevel, formatEvent

PRIORITIES = {
    LogLevel.debug: 7,
    LogLevel.info: 6,
    LogLevel.warn: 4,
    LogLevel.error: 3,
    LogLevel.critical: 2,
}
"""The priorities of syslog, as sd-daemon(3) reads them at the beginning of a line."""


def journal_line(event: LogEvent) -> str:
    """Return the lines of an event for the journal of systemd, each with its priority: ``<6>text``.

    The journal notes the time itself.
    """
    mark = f"<{PRIORITIES.get(_level(event), 6)}>"
    text = formatEvent(event)
    if "log_failure" in event:
        text += f"\n{event['log_failure'].getTraceback().rstrip()}"
    return "".join(f"{mark}{line}\n" for line in text.split("\n"))


def json_line(event: LogEvent) -> str:
    """Return an event as one JSON object with ``time``, ``level``, ``logger`` and ``text``.

    An unexpected error has its ``traceback``.
    """
    time = datetime.fromtimestamp(event.get("log_time", 0.0), UTC)
    fields = {
        "time": time.isoformat(timespec="milliseconds"),
        "level": _level(event).name,
        "logger": event.get("log_namespace", ""),
        "text": formatEvent(event),
    }
    if "log_failure" in event:
        fields["traceback"] = event["log_failure"].getTraceback()
    return msgspec.json.encode(fields).decode() + "\n"


def is_journal(descriptor: int, environ: Mapping[str, str]) -> bool:
    """Return whether a file descriptor leads to the journal of systemd.

    ``$JOURNAL_STREAM`` has the device and the inode of its socket (systemd.exec(5)).
    """
    try:
        about = os.fstat(descriptor)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{about.st_dev}:{about.st_ino}"


def _level(event: LogEvent) -> Any:
    return event.get("log_level") or LogLevel.info
