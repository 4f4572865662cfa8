"""Measures how long a viewer stays after its grant was revoked: five seconds are promised.

Screens follow a wall as a WebSocket, an event stream and a long poll, at one node and at another node
than the one that is told to revoke.  Each line says the way, the node, and the longest of some runs.
"""

from __future__ import annotations

import json
import socket
import tempfile
import time
from contextlib import closing
from pathlib import Path

from tests.support.daemon import Daemon
from tests.support.frames import handshake, head
from tests.support.net import wait_until
from tests.support.redis import Redis

PROMISED = 5.0
RUNS = 5
ADMIN = {"Authorization": "Bearer administrator-all"}
CONFIG = """
[journal]
{journal}
[access]
view = ["view-every-stream"]
admin = ["administrator-all"]
[[walls]]
name = "hall"
streams = ["open.*"]
"""
WAYS = ("WebSocket", "event stream", "poll")


def grant(daemon: Daemon) -> tuple[str, str]:
    """Make a link; return its id and its cookie."""
    said = json.dumps({"wall": "hall", "for": "1h"})
    made = daemon.request("POST", "/links", said, ADMIN).json()
    path = "/link?" + made["address"].partition("?")[2]
    answer = daemon.request("GET", path)
    return made["id"], answer.headers["Set-Cookie"].partition(";")[0]


def knows(daemon: Daemon, cookie: str) -> bool:
    return daemon.request("GET", "/walls", None, {"Cookie": cookie}).status == 200


def asked(daemon: Daemon, way: str, cookie: str) -> bytes:
    """The request of a viewer."""
    host = f"127.0.0.1:{daemon.port}"
    lines = (f"Cookie: {cookie}", f"Origin: http://{host}")
    if way == "WebSocket":
        return handshake("/ws", "Sec-WebSocket-Protocol: streamd.v1", *lines, host=host)
    if way == "event stream":
        return head("GET", "/events?format=v1", *lines, host=host)
    at = daemon.request("GET", "/state", None, {"Cookie": cookie}).headers["Streamd-Position"]
    return head("GET", f"/updates?after={at}&wait=60", *lines, host=host)


def stay(way: str, viewed: Daemon, told: Daemon) -> float:
    """Return the seconds from the revocation until the viewer is told that it has ended."""
    id, cookie = grant(told)
    wait_until(lambda: knows(viewed, cookie))
    with closing(socket.create_connection(("127.0.0.1", viewed.port))) as viewer:
        viewer.settimeout(60)
        viewer.sendall(asked(viewed, way, cookie))
        heard = viewer.recv(65536) if way != "poll" else b""
        time.sleep(0.2)  # a poll says nothing when it begins to wait
        began = time.monotonic()
        assert told.request("DELETE", f"/grants/{id}", None, ADMIN).status == 204
        while b"signed-out" not in heard:
            more = viewer.recv(65536)
            assert more, f"{way}: ended without a reason: {heard!r}"
            heard += more
        return time.monotonic() - began


def measure(viewed: Daemon, told: Daemon, where: str) -> None:
    for way in WAYS:
        longest = max(stay(way, viewed, told) for _ in range(RUNS))
        print(f"{way:12}  {where:28}  {longest:.2f} s", flush=True)
        assert longest < PROMISED, f"{way}, {where}: {longest:.1f} s"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        places = [folder / part for part in ("redis", "first", "second")]
        for place in places:
            place.mkdir()
        redis = Redis(places[0])
        redis.start()
        text = CONFIG.format(journal=f'url = "redis://127.0.0.1:{redis.port}"')
        first, second = (Daemon(place, config=text) for place in places[1:])
        try:
            first.start()
            second.start()
            measure(first, first, "at the node that revokes")
            measure(second, first, "at another node, with Redis")
        finally:
            for server in (first, second, redis):
                if server.running:
                    server.stop()


if __name__ == "__main__":
    main()
