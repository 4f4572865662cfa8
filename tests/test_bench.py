"""That bench/ counts right.  What it finds is for a machine that does nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from bench import meter
from bench.servers import SERVERS, Traffic, running
from tests.support.net import wait_until

VIEWERS = 20


@pytest.mark.parametrize("name", ["floor", "streamd", "streamd v1", "streamd socket.io"])
def test_every_viewer_gets_every_message(name: str) -> None:
    with (
        running(SERVERS[name], Traffic(rate=20)) as server,
        server.viewers(VIEWERS, "--sample", str(VIEWERS)) as load,
    ):
        assert load.ready["connected"] == VIEWERS
        before = meter.cpu(server.pid)
        server.go()
        load.mark()
        told = wait_until(lambda: enough(load.report()), what="five updates for each viewer")
        assert told["lost"] == 0
        assert told["messages"] >= told["updates"]
        assert told["messages"] == told["updates"] or name == "streamd v1", "one update in each"
        assert told["bytes"] >= told["updates"] * 40
        assert (
            told["p50"] <= told["p99"] <= told["max"] + 0.06
        )  # they are counted in steps of 0.05 ms
        assert meter.cpu(server.pid) > before
        assert meter.memory(server.pid) > 100_000


def enough(told: dict[str, Any]) -> dict[str, Any]:
    """What was counted, once it is something."""
    return told if told["updates"] >= 5 * VIEWERS else {}
