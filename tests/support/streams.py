"""What a daemon says of its streams, asked from outside."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from streamd.config.fields import ConfigError
from streamd.config.kind import Surroundings
from streamd.config.parse import parse
from streamd.sources.registry import find_kinds
from tests.support.daemon import CHECKOUT, Server
from tests.support.net import wait_until
from tests.support.served import Serve, Served


class Streams:
    """The streams of a daemon, whether it is a process or inside the test's."""

    def __init__(self, daemon: Served | Server) -> None:
        self._daemon = daemon

    def all(self) -> dict[str, Any]:
        found: dict[str, Any] = self._daemon.request("GET", "/streams").json()["streams"]
        return found

    def health(self, name: str) -> tuple[str | None, str | None]:
        """The state of a stream's health, and its error; None if there is no such stream."""
        health = self.all().get(name, {}).get("health", {})
        return health.get("state"), health.get("error")

    def value(self, name: str) -> Any:
        return self.all().get(name, {}).get("value")

    def history(self, name: str) -> list[Any]:
        """The values that are kept, oldest first."""
        answer = self._daemon.request("GET", f"/streams/{name}?history=1000")
        return [update["value"] for update in answer.json().get("history", [])]

    def expect(self, name: str, value: Any, seconds: float = 30) -> None:
        """Waits until the stream says this."""
        wait_until(lambda: [self.value(name)] == [value], seconds, f"{name} to say {value!r}")

    def expect_health(self, name: str, state: str, seconds: float = 30) -> str | None:
        """Waits until the stream is so; its error then."""

        def found() -> list[str | None]:
            now, error = self.health(name)
            return [error] if now == state else []

        [error] = wait_until(found, seconds, f"{name} to be {state}")
        return error

    def expect_gap(self, name: str, seconds: float = 30) -> None:
        """Waits until the stream says that messages may be missing."""
        reason = "messages may be missing since "

        def found() -> bool:
            state, error = self.health(name)
            return state == "late" and (error or "").startswith(reason)

        wait_until(found, seconds, f"a gap of {name}")


def configuration(kind: str = "shop") -> str:
    """The block of this class in docs/sources.rst."""
    text = (CHECKOUT / "docs/sources.rst").read_text()
    form = rf"\.\. code-block:: toml\n   :class: {kind}\n\n((?:    .*\n|\n)+)"
    [block] = re.findall(form, text)
    return re.sub("(?m)^    ", "", block)


def check_types(serve: Serve, url: str, types: Mapping[str, Any], binary: str) -> None:
    """Has a database's values of every type read: what it writes -> what the stream says.

    :param binary: bytes, which no stream can say.
    """
    columns = ", ".join(f"{text} AS c{number}" for number, text in enumerate(types))
    query = json.dumps(f"SELECT {columns}, {binary} AS picture", ensure_ascii=False)
    table = f'database = "{url}"\nquery = {query}\n'
    streams = Streams(serve(f"[sources.t]\n{table}[sources.list]\n{table}table = true\n"))
    for number, value in enumerate(types.values()):
        streams.expect(f"t.c{number}", value)
    assert "t.picture: column picture: bytes" in (streams.expect_health("t", "failed") or "")
    error = streams.expect_health("list", "failed")
    assert "column picture: bytes are no value; make them text" in (error or "")


def check_series(serve: Serve, url: str, hour: str) -> None:
    """Has the orders of two hours read as series.

    :param hour: what the database calls the hour of the column ``at``.
    """
    rows = "SELECT '2026-01-02 03:04:05' AS at, 2.5 AS amount"
    rows += (
        " UNION ALL SELECT '2026-01-02 04:00:00', 1.5 UNION ALL SELECT '2026-01-02 03:30:00', NULL"
    )
    query = (
        f"SELECT {hour} AS hour, count(*) AS orders, sum(amount) AS revenue FROM ({rows}) AS o"
        " GROUP BY 1 ORDER BY revenue"
    )
    table = f'database = "{url}"\nquery = {json.dumps(query)}\n'
    streams = Streams(serve(f'[sources.hours]\n{table}series = "hour"\n'))
    three, four = (datetime(2026, 1, 2, hour).astimezone().isoformat() for hour in (3, 4))
    streams.expect("hours.orders", [[three, 2], [four, 1]])
    streams.expect("hours.revenue", [[three, 2.5], [four, 1.5]])


def make_sources(text: str, base: Path = Path()) -> None:
    """What the daemon does with the sources of a configuration before it starts."""
    from twisted.internet import reactor

    for name, (kind, settings) in parse(text, find_kinds()).sources.items():
        kind.make(name, settings, Surroundings(reactor, base))


def mistake(text: str) -> str:
    """The one line that is said of the sources of a configuration."""
    with pytest.raises(ConfigError) as caught:
        make_sources(text)
    [line] = caught.value.problems
    return line
