"""Good clients in a process of their own, so that what they measure is the daemon's delay, not ours.

Round after round, the witness publishes a value and waits until all of its viewers have it.  It opens
the page and `/healthz` on new connections.  It opens a WebSocket and waits for the state.  `Witness`
starts it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

from checks.crowd import LOOPBACK, Crowd, Publisher, Viewer
from tests.support.daemon import CHECKOUT
from tests.support.net import request

PATIENCE = 10.0
"""Seconds: what takes longer counts as this."""

ROUND = 0.05
STREAM = "witness"


class Round(NamedTuple):
    """What one round took, in seconds.

    :ivar at: when it began, seconds of the monotonic clock, which all processes share.
    :ivar seen: until every viewer had the value.
    :ivar published: until the publisher had its answer and every viewer the value.
    :ivar healthz: until `/healthz` was answered, connecting included.
    :ivar page: until the page was there whole, connecting included.
    :ivar joined: until a new viewer had the state.
    """

    at: float
    seen: float
    published: float
    healthz: float
    page: float
    joined: float


class Witness:
    """The process; it begins at once, and has had its first round when this returns."""

    def __init__(
        self, port: int, viewers: int = 20, source: str = LOOPBACK, token: str = ""
    ) -> None:
        """:param source: the address of the viewers.

        :param token: the token of the publisher.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-m", "checks.witness", str(port), str(viewers), source, token],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n", "the witness did not begin"

    def finish(self) -> list[Round]:
        """Ends it; returns what it saw."""
        said, _ = self._process.communicate(timeout=60)
        assert self._process.returncode == 0, "the witness broke down"
        return [Round(*numbers) for numbers in json.loads(said)]

    def kill(self) -> None:
        """Ends it if it still runs."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> Witness:
        return self

    def __exit__(self, *failure: object) -> None:
        self.kill()


def within(rounds: list[Round], begin: float, end: float) -> list[Round]:
    """The rounds that some of this time belongs to."""
    return [r for r in rounds if r.at + sum(r[2:]) >= begin and r.at <= end]


def watch(
    port: int, viewers: int, source: str, token: str, goes_on: Callable[[], bool]
) -> Iterator[Round]:
    """Measures one round after another."""
    with Crowd(port, f"/ws?streams={STREAM}", source=source) as crowd:
        crowd.gather(viewers)
        steady = list(crowd.viewers)
        publisher = Publisher(port, token)
        number = 0
        while goes_on():
            number += 1
            begin = time.monotonic()
            news = b'{"%s":%d}' % (STREAM.encode(), number)
            try:
                publisher.publish(STREAM, b"%d" % number)
                seen = _took(crowd, partial(_have, steady, news))
                published = seen + _took(crowd, partial(_is_answered, publisher))
            except OSError:  # it was cut off, which is no better than not being served
                seen = published = PATIENCE
            if published >= PATIENCE:
                publisher.close()
                publisher = Publisher(port, token)
            healthz, page = _get(port, "/healthz"), _get(port, "/")
            joined = _join(crowd)
            yield Round(begin, seen, published, healthz, page, joined)
            crowd.run(max(0.0, begin + ROUND - time.monotonic()))
        publisher.close()


def _have(viewers: Iterable[Viewer], news: bytes) -> bool:
    return all(viewer.newest == news for viewer in viewers)


def _took(crowd: Crowd, until: Callable[[], bool]) -> float:
    begin = time.monotonic()
    return time.monotonic() - begin if crowd.run(PATIENCE, until) else PATIENCE


def _is_answered(publisher: Publisher) -> bool:
    publisher.count_answers()
    return publisher.accepted == publisher.sent


def _get(port: int, path: str) -> float:
    begin = time.monotonic()
    try:
        good = request(port, "GET", path, timeout=PATIENCE).status == 200
    except OSError:
        good = False
    return time.monotonic() - begin if good else PATIENCE


def _join(crowd: Crowd) -> float:
    (guest,) = crowd.join()
    took = _took(crowd, lambda: guest.first is not None or guest.ended)
    took = PATIENCE if guest.first is None else took
    crowd.dismiss(guest)
    return took


def _wait_for_end(told: threading.Event) -> None:
    sys.stdin.read()
    told.set()


def _main() -> None:
    port, viewers = map(int, sys.argv[1:3])
    source, token = sys.argv[3:]
    told = threading.Event()
    threading.Thread(target=_wait_for_end, args=(told,), daemon=True).start()
    rounds: list[Round] = []
    for one in watch(port, viewers, source, token, lambda: not told.is_set()):
        if not rounds:
            print("ready", flush=True)
        rounds.append(one)
    print(json.dumps(rounds))


if __name__ == "__main__":
    _main()
