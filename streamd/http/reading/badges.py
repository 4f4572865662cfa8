"""One stream as a line of text or as a badge, for terminals, README pages and e-ink."""

from __future__ import annotations

import re
from hashlib import sha256

from streamd.core.health.verdict import Health
from streamd.core.one_line import one_line, single
from streamd.core.stream import Stream
from streamd.http.request import Request, Response, unless_known
from streamd.wire.badge import badge

_NAME = re.compile(r"(.+)\.(txt|svg)")

MAX_AGE = {"fresh": 10, "late": 5, "failed": 5}
"""Seconds for which an answer may be cached whose stream says nothing else, by the state of health."""

LONGEST_AGE = 300
"""The most seconds for which an answer may be cached: limits and titles may change, too."""

RUNS = 3
"""How many runs of a source with ``every`` fit into the ``expect`` of its streams by default."""

_LEVELS = {"ok": "ok", "warn": "warning", "critical": "critical"}


def split_name(name: str) -> tuple[str, str]:
    """Split ``NAME.txt`` or ``NAME.svg`` into name and ending; other names have no ending."""
    match = _NAME.fullmatch(name)
    return (match[1], match[2]) if match else (name, "")


def badge_response(stream: Stream, form: str, request: Request, now: float) -> Response:
    """Return the answer for ``GET /streams/NAME.txt`` or ``GET /streams/NAME.svg``.

    :param form: ``txt`` or ``svg``.
    :param now: seconds since the epoch.
    """
    health = stream.current_health()
    condition = health.state if health.state != "fresh" else _LEVELS[health.level]
    newest = stream.newest
    value = "no value"
    if newest is not None and newest.value is not None:
        value = one_line(newest.value, stream.description, now)
    reason = f" ({single(health.error)})" if health.error else ""
    if form == "svg":
        label = stream.description.title or stream.name
        about = f"{single(label)}: {_said(condition, value, ': ')}{reason}"
        body = badge(label, _said(condition, value, " · "), condition, about)
    else:
        body = f"{_said(condition, value, ': ')}{reason}\n".encode()
    headers = {
        **_HEADERS[form],
        "Cache-Control": f"public, max-age={max_age(stream, health, now)}",
        "ETag": f'"{sha256(body).hexdigest()[:16]}"',
    }
    return unless_known(Response(200, body, headers), request)


_HEADERS = {
    "txt": {"Content-Type": "text/plain; charset=utf-8"},
    # For somebody who opens the image as a page of its own.
    "svg": {
        "Content-Type": "image/svg+xml",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    },
}


def max_age(stream: Stream, health: Health, now: float) -> int:
    """Return the seconds for which an answer may be cached.

    A fresh value may be kept until its source runs again, and never beyond the time at which it
    becomes late: otherwise a cache would show it as current.
    """
    expect = stream.description.expect
    if expect is None or health.state != "fresh":
        return MAX_AGE[health.state]
    proof = stream.began if health.proof is None else health.proof
    return int(max(1.0, min(expect / RUNS, proof + expect - now, LONGEST_AGE)))


def _said(condition: str, value: str, between: str) -> str:
    """Return the value, after the condition if something is wrong: a narrow place cuts the end."""
    return value if condition == "ok" else f"{condition}{between}{value}"
