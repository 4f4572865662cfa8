"""Streams that no source makes any more, or that nobody heard: late on every node, with the reason."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from streamd.core.stream import UNREPORTED
from tests.cluster.test_nodes import (
    JOURNAL,
    TOKEN,
    StartNode,
    everywhere,
    health,
    post,
    start_node,
)
from tests.support.daemon import Daemon, StartDaemon
from tests.support.net import wait_until
from tests.support.redis import Redis
from tests.support.streams import Streams

__all__ = ["start_node"]

FRESH = ("fresh", None)
FORMER = ("late", UNREPORTED)


def query(folder: Path, columns: str) -> str:
    return f'database = "sqlite:///{folder}/shop.db"\nquery = "SELECT {columns}"\nevery = "200ms"\n'


def configuration(**sources: str) -> str:
    return "".join(f"[sources.{name}]\n{lines}" for name, lines in sources.items())


def configure(node: Daemon, redis: Redis, config: str) -> None:
    """Restarts it with another configuration."""
    text = JOURNAL.format(port=redis.port, token=TOKEN) + config
    (node.folder / "streamd.toml").write_text(text)
    node.restart()


def expect(nodes: Iterable[Daemon], streams: Mapping[str, tuple[str, str | None]]) -> None:
    for name, expected in streams.items():
        everywhere(nodes, lambda node: health(node, name) == expected, f"{name}: {expected}")  # noqa: B023


def test_streams_that_no_source_makes_any_more(
    start_node: StartNode, redis: Redis, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as db:
        db.execute("CREATE TABLE orders (id INTEGER)")
    both = query(tmp_path, "1 AS a, 2 AS b")
    channel = f'url = "redis://127.0.0.1:{redis.port}"\nsubscribe = "hall"\n'
    before = configuration(columns=both, kind=both, channel=both, gone=both)
    after = configuration(
        columns=query(tmp_path, "1 AS a"),
        kind='command = "while echo 1; do sleep 1; done"\n',
        channel=channel,
    )
    nodes = [start_node(before) for _ in range(2)]
    for name in ("by_hand", "gone.by_hand"):
        post(nodes[0], name, 1)
    made = {
        f"{source}.{end}": FRESH
        for source in ("columns", "kind", "channel", "gone")
        for end in "ab"
    }
    published = {"by_hand": FRESH, "gone.by_hand": FRESH}
    expect(nodes, made | published)
    now = dict.fromkeys(made, FORMER) | {"columns.a": FRESH, "kind": FRESH} | published
    for node in nodes:
        configure(node, redis, after)
    expect(nodes, now)
    for node in nodes:  # once more
        configure(node, redis, after)
        # No node shows one as current, also not before it has talked with the other.
        assert FRESH not in [health(one, name) for one in nodes for name in ("gone.a", "kind.a")]
    expect(nodes, now)
    post(nodes[0], "columns.b", 3)
    post(nodes[0], "gone.a", 3)
    assert nodes[1].request("DELETE", "/streams/gone.b").status == 204
    ended = {"columns.b": FRESH, "gone.a": FRESH, "kind.a": FORMER}
    expect(nodes, ended)
    everywhere(nodes, lambda node: health(node, "gone.b") is None, "the end of gone.b")
    configure(nodes[1], redis, after)
    expect(nodes, ended)


def test_one_node_with_a_file(start_daemon: StartDaemon, redis: Redis) -> None:
    url = f'url = "redis://127.0.0.1:{redis.port}"\n'
    journal = '[journal]\npath = "log.db"\n'
    hall = configuration(hall=f'{url}subscribe = "hall"\n')
    printing = 'command = "echo 1"\nevery = "1h"\n'
    log = 'xread = "log"\n'
    redis.say("XADD", "log", "*", "n", "1")
    before = configuration(gone=printing, load=printing, log=url + log, silent=printing)
    after = configuration(load=printing, log=url + log, silent='command = "true"\nevery = "1h"\n')
    node = start_daemon(config=journal + hall + before)
    wait_until(lambda: redis.say("PUBSUB", "NUMSUB", "hall")[1] == 1, what="a subscriber")
    redis.say("PUBLISH", "hall", "1")
    expect([node], dict.fromkeys(("gone", "load", "log", "silent", "hall"), FRESH))
    (node.folder / "streamd.toml").write_text(journal + hall + after)
    for _ in range(2):
        node.restart()
        expect([node], {"gone": FORMER, "load": FRESH, "log": FRESH, "silent": FORMER})
        Streams(node).expect_gap("hall")
    redis.say("PUBLISH", "hall", "1")
    expect([node], {"hall": FRESH})


def test_a_source_that_one_node_has_no_more_and_another_still_runs(
    start_node: StartNode, redis: Redis
) -> None:
    command = 'command = "while echo 1; do sleep 1; done"\n'
    nodes = [start_node(configuration(load=command)) for _ in range(2)]
    expect(nodes, {"load": FRESH})
    configure(nodes[0], redis, "")
    expect(nodes, {"load": FRESH})
    nodes[1].kill()
    expect(nodes[:1], {"load": FORMER})


def is_recorded(redis: Redis, source: str, stream: str) -> bool:
    return stream in (redis.say("HGET", "streamd:records:streams", source) or "")


def test_what_a_channel_said_between_two_runs_is_missing_everywhere(
    start_node: StartNode, redis: Redis
) -> None:
    config = configuration(hall=f'url = "redis://127.0.0.1:{redis.port}"\nsubscribe = "hall"\n')
    nodes = [start_node(config) for _ in range(3)]
    for value in ("shut", "open"):
        everywhere(nodes, lambda _: redis.say("PUBSUB", "NUMSUB", "hall")[1] == 1, "a subscriber")
        redis.say("PUBLISH", "hall", f'{{"door": "{value}"}}')
        expect(nodes, {"hall.door": FRESH})
        first = next(n for n in nodes if redis.say("GET", "streamd:lease:source:hall") in n.log())
        # Which streams the source has made is recorded after the update.
        wait_until(lambda: is_recorded(redis, "hall", "hall.door"), what="the record")
        nodes.remove(first)
        first.kill()
        for node in nodes:
            Streams(node).expect_gap("hall.door")
