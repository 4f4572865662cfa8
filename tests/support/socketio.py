"""A client of Socket.IO by hand: each packet is said and heard as it is on the wire."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from tests.support.frames import frame, handshake, head
from tests.support.net import Answer
from tests.support.served import Served, Wire

TEXT, BINARY = 0x81, 0x82
PATH = "/socket.io/?EIO=4&transport="


class Polling:
    """A session that polls."""

    def __init__(
        self, served: Served, *lines: str, host: str = "localhost", source: str = "127.0.0.1"
    ) -> None:
        self.served = served
        self._lines = lines
        self._host = host
        self._source = source
        self._heard: list[str] = []
        answer = self._ask("GET", f"{PATH}polling")
        assert answer.status == 200, answer.text
        self.opened = opened(answer.text)
        self.sid: str = self.opened["sid"]

    def path(self, transport: str = "polling") -> str:
        return f"{PATH}{transport}&sid={self.sid}"

    def packet(self) -> str:
        """The next packet, one after the other."""
        while not self._heard:
            self._heard = self.hear()
        return self._heard.pop(0)

    def close(self) -> None:
        """Closes the session, if there still is one."""
        self.post("1")

    def start(self) -> Wire:
        """Begins to poll."""
        return self._wire(head("GET", self.path(), *self._lines, host=self._host))

    def get(self) -> Answer:
        return self._ask("GET", self.path())

    def hear(self) -> list[str]:
        """The packets of the next poll."""
        answer = self.get()
        assert answer.status == 200, answer.text
        assert answer.headers["Content-Type"] == "text/plain; charset=UTF-8"
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.text.split("\x1e")

    def post(self, body: str | bytes) -> Answer:
        return self._ask("POST", self.path(), body.encode() if isinstance(body, str) else body)

    def say(self, body: str | bytes) -> None:
        answer = self.post(body)
        assert (answer.status, answer.text) == (200, "ok"), answer.text

    def connect(self, auth: Any = None) -> None:
        """Connects, and hears that it may."""
        self.say("40" + (json.dumps(auth) if auth else ""))

    def message(self) -> Any:
        """The next state; other packets go by."""
        while not (packet := self.packet()).startswith('42["state",'):
            pass
        return json.loads(packet[2:])[1]

    def _ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        length = [f"Content-Length: {len(body)}"] if method == "POST" else []
        wire = self._wire(head(method, path, *self._lines, *length, host=self._host) + body)
        try:
            return wire.answer()
        finally:
            wire.close()

    def _wire(self, data: bytes) -> Wire:
        return self.served.wire(data, source=self._source)


class Socket:
    """A session on a WebSocket, or with `sid` the WebSocket of a session that polls."""

    def __init__(
        self,
        served: Served,
        sid: str = "",
        *lines: str,
        receive_buffer: int | None = None,
        host: str = "localhost",
        source: str = "127.0.0.1",
    ) -> None:
        path = f"{PATH}websocket{f'&sid={sid}' if sid else ''}"
        self.wire = served.wire(handshake(path, *lines, host=host), receive_buffer, source)
        answer = self.wire.head()
        assert answer.startswith("HTTP/1.1 101 "), answer
        if not sid:
            self.opened = opened(self.hear())

    def say(self, text: str | bytes, type: int = TEXT) -> None:
        self.wire.send(frame(type, text.encode() if isinstance(text, str) else text))

    def close(self) -> None:
        self.wire.close()

    def hear(self) -> str:
        opcode, payload = self.wire.frame()
        assert opcode == 1, (opcode, payload)
        return payload.decode()

    def packet(self) -> str:
        """The next packet."""
        return self.hear()

    def connect(self, auth: Any = None) -> None:
        self.say("40" + (json.dumps(auth) if auth else ""))
        answer = self.hear()
        assert answer.startswith('40{"sid":"'), answer

    def message(self) -> Any:
        """The next state; pings go by."""
        while not (text := self.hear()).startswith('42["state",'):
            assert text == "2", text
        return json.loads(text[2:])[1]

    def closed(self) -> int:
        """The code of the close frame, which has to come next but for pings and states."""
        code = self.wire.close_code()
        with suppress(OSError):
            self.wire.send(frame(0x88, code.to_bytes(2, "big")))
        self.wire.rest()
        return code


def opened(packet: str) -> dict[str, Any]:
    assert packet[0] == "0", packet
    found: dict[str, Any] = json.loads(packet[1:])
    return found
