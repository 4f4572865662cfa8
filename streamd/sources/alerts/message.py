"""Writes the messages of an alert: JSON members for programs, and a text for people.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import Any

from streamd.core.presentation import duration_text, time_text
from streamd.core.stream import Stream
from streamd.core.values import to_python
from streamd.sources.alerts.watch import (
    RANKS,
    AlertEvent,
    Saying,
    SayingKind,
    ToldStream,
    condition_of,
)

MAX_ROWS = 10
"""The most streams that a message describes; a person reads no more, and a record keeps the message."""

MAX_TEXT = 200
"""The most characters of a value or a reason in a message."""

Message = dict[str, Any]
"""A message as JSON members, which ``docs/alerts.rst`` describes."""


def compose(
    alert: str,
    saying: Saying,
    find: Callable[[str], Stream | None],
    now: float,
    link: str | None,
    zone: tzinfo | None,
) -> Message:
    """Return the next message about an event.

    :param alert: the name of the alert.
    :param find: returns a stream by its name, or None.
    :param now: seconds since the epoch.
    :param link: the address of the wall; None if it is not configured.
    :param zone: the time zone of times in texts; None for the machine's.
    """
    kind, event = saying
    listed = _listed(kind, event)
    rows = [_row(name, event.streams[name], find(name)) for name in listed[:MAX_ROWS]]
    more = len(listed) - len(rows)
    lines = [_line(row, now, zone) for row in rows]
    title = _title(kind, rows, len(listed))
    if more:
        lines.append(f"and {more} more")
    message: Message = {
        "id": f"{event.id}-{event.said}",
        "event": event.id,
        "alert": alert,
        "kind": kind,
        "time": now,
        "since": min(told.since for told in event.streams.values()),
        "title": title,
        "streams": rows,
        "more": more,
    }
    return _finished(message, lines, link)


def compose_test(alert: str, id: str, now: float, link: str | None) -> Message:
    """Return the message that ``streamd alert test`` sends."""
    message: Message = {
        "id": id,
        "event": id,
        "alert": alert,
        "kind": "test",
        "time": now,
        "since": now,
        "title": f"a test of the alert {alert}",
        "streams": [],
        "more": 0,
    }
    return _finished(message, ["This is a test of this address: nothing needs attention."], link)


def _finished(message: Message, lines: Sequence[str], link: str | None) -> Message:
    text = "\n".join([*lines, *([link] if link else [])])
    return message | {"text": text, "link": link}


def _listed(kind: SayingKind, event: AlertEvent) -> list[str]:
    """Return the names of the streams that a message is about, the worst first."""
    names = event.streams if kind == "end" else event.open
    return sorted(names, key=lambda name: (RANKS.index(event.streams[name].what), name))


def _row(name: str, told: ToldStream, stream: Stream | None) -> dict[str, Any]:
    """Return a stream as a message has it; its state is ``ok`` once the condition is over."""
    row: dict[str, Any] = {
        "stream": name,
        "title": name,
        "state": "ok" if told.until is not None else told.what,
        "was": told.what,
        "value": None,
        "unit": None,
        "limit": None,
        "since": told.since,
        "until": told.until,
        "reason": None,
    }
    if stream is None:
        return row | {"reason": None if told.until is None else "the stream was forgotten"}
    description = stream.description
    if told.until is None:
        now = condition_of(stream.health)
        row["state"] = told.what if now == "ok" else now
        row["reason"] = _cut(stream.health.error) if stream.health.error else None
    limit = {"critical": description.critical, "warn": description.warn}.get(told.what)
    return row | {
        "title": description.title or name,
        "value": _value(stream),
        "unit": description.unit,
        "limit": limit and limit.text,
    }


def _value(stream: Stream) -> Any:
    """Return the newest value; null for an object, a list or a long text."""
    newest = stream.newest
    if newest is None or newest.value is None:
        return None
    word = stream.description.word(newest.value)
    value = word if word is not None else to_python(newest.value)
    if isinstance(value, dict | list):
        return None
    if isinstance(value, int) and abs(value) >= 2**63:  # msgspec writes no greater numbers
        value = str(value)
    return _cut(value) if isinstance(value, str) else value


def _line(row: dict[str, Any], now: float, zone: tzinfo | None) -> str:
    """Return the sentence about a stream."""
    since, state = time_text(row["since"], now, zone), row["state"]
    value = "" if row["value"] is None else f" {_plain(row['value'])}"
    if value and row["unit"]:
        value += f" {row['unit']}"
    if row["until"] is not None:
        is_now = value or " well"
        lasted = duration_text(row["until"] - row["since"])
        return f"{row['title']} is{is_now} again; it {_WAS[row['was']]} from {since} for {lasted}"
    if state in ("critical", "warn"):
        limit = f", with the limit {row['limit']}" if row["limit"] else ""
        return f"{row['title']}:{value} is {_IS[state]} since {since}{limit}"
    reason = f": {row['reason']}" if row["reason"] else ""
    return f"{row['title']} {_IS[state]} since {since}{reason}"


_IS = {"critical": "critical", "warn": "a warning", "failed": "has failed", "late": "is late"}

_WAS = {
    "critical": "was critical",
    "warn": "was a warning",
    "failed": "had failed",
    "late": "was late",
}


def _title(kind: SayingKind, rows: Sequence[dict[str, Any]], count: int) -> str:
    """Return one line for a subject or a notification."""
    first = rows[0]
    what = first["title"] if count == 1 else f"{first['title']} and {count - 1} more"
    state = first["was"] if kind == "end" else first["state"]
    return {"begin": "", "reminder": "still ", "end": "over: "}[kind] + f"{what} ({state})"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
