"""What a daemon says of its streams, asked from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamd.config import parse
from streamd.kinds import find_kinds
from streamd.source import Surroundings
from tests.support.daemon import Server
from tests.support.net import wait_until
from tests.support.served import Served


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

    def expect(self, name: str, value: Any, seconds: float = 5) -> None:
        """Waits until the stream says this."""
        wait_until(lambda: [self.value(name)] == [value], seconds, f"{name} to say {value!r}")

    def expect_health(self, name: str, state: str, seconds: float = 5) -> str | None:
        """Waits until the stream is so; its error."""
        wait_until(lambda: self.health(name)[0] == state, seconds, f"{name} to be {state}")
        return self.health(name)[1]


def make_sources(text: str, base: Path = Path()) -> None:
    """What the daemon does with the sources of a configuration before it starts."""
    from twisted.internet import reactor

    for name, (kind, settings) in parse(text, find_kinds()).sources.items():
        kind.make(name, settings, Surroundings(reactor, base))
