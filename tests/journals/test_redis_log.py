"""What others wrote into the log in Redis: it is skipped, and stops neither nodes nor streams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamd.core.update import LIFE_UNIT, MAX_TIME
from streamd.core.values import MAX_VALUE
from streamd.journals import redis_session
from streamd.journals.journal import Away, Key, SourceCursor, Unusable
from tests.journals.test_journal import refusal, sleep
from tests.journals.test_redis import Node, Nodes, cut, nodes, until, write
from tests.support.fakes import TODAY
from tests.support.redis import Redis
from tests.support.tidy import LoggedErrors

__all__ = ["nodes"]

OLD = (Path(__file__).parent / "files" / "redis-0.1.0.lua").read_text()
"""The script of version 0.1.0."""

NEVER = 2**64 - 1

FIELDS: dict[str, tuple[str | bytes | int, ...]] = {
    "no JSON": ("stream", "a", "seq", 3, "time", 5, "value", "{not json"),
    "half a value": ("stream", "a", "seq", 3, "time", 5, "value", '{"a":'),
    "a value that is no UTF-8": ("stream", "a", "seq", 3, "time", 5, "value", b'"\xff"'),
    "a large value": ("stream", "a", "seq", 3, "time", 5, "value", '"%s"' % ("x" * MAX_VALUE)),
    "a deep value": ("stream", "a", "seq", 3, "time", 5, "value", "[" * 101 + "]" * 101),
    "a number that is too large": ("stream", "a", "seq", 3, "time", 5, "value", "1e999"),
    "a time that is none": ("stream", "a", "seq", 3, "time", "nan", "value", 5),
    "a time in words": ("stream", "a", "seq", 3, "time", "soon", "value", 5),
    "a time beyond all": ("stream", "a", "seq", 3, "time", int(MAX_TIME) * 2, "value", 5),
    "a seq that is none": ("stream", "a", "seq", "three", "time", 5, "value", 5),
    "a name that is markup": ("stream", 'x":1,"<script>', "seq", 1, "time", 5, "value", 5),
    "a name that is no UTF-8": ("stream", b"\xff", "seq", 1, "time", 5, "value", 5),
    "no name": ("stream", "", "seq", 1, "time", 5, "value", 5),
    "other fields": ("temperature", 21),
    "fewer fields": ("stream", "a", "value", 5),
}
"""Fields of an entry that streamd never writes."""


def id_after(node: Node, milliseconds: int = 0, life: int | None = None) -> str:
    """An id like one of this log, after the newest that the node knows."""
    at = node.known[-1].at
    n = at.n + 1 if life is None else life * LIFE_UNIT
    return f"{at.ms + milliseconds}-{n}"


async def accepted(node: Node, *drafts: Any) -> bool:
    """Whether the journal took what was appended."""
    try:
        await node.append(*drafts, key=Key(str(drafts), b"1"))
    except Away:
        return False
    return True


async def goes_on(one: Node, other: Node) -> None:
    """Both nodes append, follow each other, and agree with a node that starts now."""
    for number, node in enumerate((one, other)):
        # An append is refused while a node reads the log anew.
        while not await accepted(node, ("a", number + 100), ("b", number)):
            await sleep(0.05)
    await until(lambda: [u.value for u in other.known if u.stream == "a"][-2:] == [b"100", b"101"])
    await until(lambda: [u.value for u in one.known if u.stream == "a"][-2:] == [b"100", b"101"])
    late = Node(one.url)
    await late.start()
    newest = {u.stream: (u.seq, u.value) for u in late.known}
    for node in (one, other):
        known = {u.stream: (u.seq, u.value) for u in node.known if u.value}
        assert known["a"] == newest["a"] == (known["a"][0], b"101")
        assert known["b"] == newest["b"]
    await late.journal.stop()


def answers(*nodes: Node) -> None:
    for node in nodes:
        assert node.reasons[-1:] in ([], [None]), node.reasons


async def begun(*nodes: Node) -> None:
    await nodes[0].append(("a", 1), ("a", 2), ("b", 0))
    for node in nodes:
        await node.has(1, 2, 0)


class TestEntries:
    @pytest.mark.parametrize(
        ("what", "place"),
        [
            *((what, "next") for what in FIELDS),
            ("no JSON", "of another life"),
            ("other fields", "of another life"),
            ("no JSON", "of no log"),
            ("other fields", "later"),
        ],
    )
    async def test_in_the_log(self, nodes: Nodes, redis: Redis, what: str, place: str) -> None:
        one, other = nodes
        await begun(*nodes)
        at = {
            "next": id_after(one),
            "of another life": id_after(one, 5, one.journal.life - 1),
            "of no log": f"{one.known[-1].at.ms + 1}-0",
            "later": id_after(one, 10**6),
        }[place]
        redis.say("XADD", "streamd:log", at, *FIELDS[what])
        is_a = FIELDS[what][1] == "a" and what not in ("fewer fields",)
        if is_a and place in ("next", "later"):
            await until(lambda: one.strange == other.strange == {"a"})
        await goes_on(one, other)
        assert one.losses == other.losses == []
        answers(one, other)

    @pytest.mark.parametrize("what", FIELDS)
    async def test_in_a_history(self, nodes: Nodes, redis: Redis, what: str) -> None:
        """A node that starts skips it, or says of its value that it cannot be read."""
        one, other = nodes
        await begun(*nodes)
        redis.say("XADD", "streamd:history:a", id_after(one), *FIELDS[what][2:], "x", "y")
        late = Node(one.url)
        await late.start()
        assert [u.value for u in late.held if u.stream == "b"] == [b"0"]
        good = [u.value for u in late.held if u.stream == "a" and u.value]
        assert good == [b"1", b"2"]
        await late.journal.stop()
        await goes_on(one, other)

    @pytest.mark.parametrize(
        "what", [what for what, fields in FIELDS.items() if fields[3:4] == (3,)]
    )
    async def test_newest_of_a_history(self, nodes: Nodes, redis: Redis, what: str) -> None:
        """A node that starts reads entries up to the newest of the log, and so this one."""
        one, _ = nodes
        await begun(*nodes)
        redis.say("XADD", "streamd:history:a", str(one.known[-1].at), *FIELDS[what][2:])
        late = Node(one.url)
        await late.start()
        answers(late)
        assert [u.value for u in late.held if u.stream == "a"] == [b"1", b"2"]
        await late.journal.stop()

    async def test_what_looks_like_an_update_of_ours(self, nodes: Nodes, redis: Redis) -> None:
        one, other = nodes
        await begun(*nodes)
        fields = ("stream", "a", "seq", 3, "time", 5, "value", 7, "by", "me")
        redis.say("XADD", "streamd:log", id_after(one), *fields)
        await goes_on(one, other)

    async def test_a_seq_that_is_not_next(self, nodes: Nodes, redis: Redis) -> None:
        one, other = nodes
        await begun(*nodes)
        for key in ("log", "history:a"):
            named = ("stream", "a") if key == "log" else ()
            fields = (*named, "seq", 99, "time", 5, "value", 7)
            redis.say("XADD", f"streamd:{key}", id_after(one), *fields)
        await goes_on(one, other)
        await one.append(("a", 5))
        restored = len(one.restored)
        await one.append(("a", 6))
        await one.append(("a", 7))
        assert len(one.restored) == restored  # it does not read all anew again and again

    async def test_by_a_clock_ahead(self, nodes: Nodes, redis: Redis) -> None:
        """An id that Redis gave: its clock is ahead of that of the nodes."""
        one, other = nodes
        await begun(*nodes)
        redis.say("XADD", "streamd:log", "*", "temperature", 21)
        redis.say("XADD", "streamd:history:a", "*", "temperature", 21)
        await goes_on(one, other)
        assert one.losses == []

    @pytest.mark.parametrize("key", ["log", "history:a"])
    @pytest.mark.parametrize("taken_back", [False, True])
    async def test_an_id_that_nothing_is_after(
        self, nodes: Nodes, redis: Redis, key: str, taken_back: bool
    ) -> None:
        one, other = nodes
        await begun(*nodes)
        at = f"{NEVER}-{NEVER}"
        redis.say("XADD", f"streamd:{key}", at, "x", "y")
        if taken_back:
            redis.say("XDEL", f"streamd:{key}", at)
        await goes_on(one, other)


KEYS = (
    "about", "log", "seqs", "state", "places", "fences", "history:a", "records:key",
    "expires:key", "records:screens", "expires:screens", "lease:shop",
)  # fmt: skip


class TestKeys:
    @pytest.mark.parametrize("key", KEYS)
    @pytest.mark.parametrize("when", ["running", "at the start"])
    async def test_of_another_type(
        self, nodes: Nodes, redis: Redis, key: str, when: str, logged_errors: LoggedErrors
    ) -> None:
        one, other = nodes
        await begun(*nodes)
        await one.append(("b", 0), key=Key("k", b"1"), cursor=SourceCursor("s", None, "1"))
        await one.journal.put("screens", "hall", b"one", 60)
        await one.shared.acquire("shop", 60)
        redis.say("DEL", f"streamd:{key}")
        if key in ("log", "seqs", "state"):
            redis.say("SET", f"streamd:{key}", "garbage")
        else:
            redis.say("RPUSH", f"streamd:{key}", "garbage")
        if when == "at the start":
            late = Node(one.url)
            await late.start()
            answers(late)
            await late.journal.stop()
        for node in nodes:
            await node.shared.acquire("shop", 1).addErrback(lambda failure: failure.trap(Away))
        for number, node in enumerate(nodes):
            while not await accepted(node, ("c", number)):
                await sleep(0.05)
        await one.journal.put("screens", "hall", b"two", 60)
        assert dict(await one.journal.records("screens")) == {"hall": b"two"}
        await one.has(*[u.value.decode() for u in one.known if u.value])
        answers(one, other)

    @pytest.mark.parametrize("written", ["garbage", "1e300"])
    @pytest.mark.parametrize("field", ["life", "ms", "i", "recorded", "horizon_ms", "horizon_i"])
    async def test_damaged_facts_about_the_log(
        self, nodes: Nodes, redis: Redis, field: str, written: str
    ) -> None:
        one, other = nodes
        await begun(*nodes)
        redis.say("HSET", "streamd:about", field, written)
        await cut(redis)
        await until(lambda: one.reasons[-1:] == other.reasons[-1:] == [None])
        await one.append(("a", 3), key=Key("k", b"1"))
        await one.journal.trim({"a": one.known[-1].at}, one.known[-1].at)
        await other.append(("a", 4))
        assert [u.value for u in other.known][-2:] == [b"3", b"4"]
        late = Node(one.url)
        await late.start()
        assert late.known[-1].value == b"4"
        await late.journal.stop()

    async def test_fields_that_no_node_wrote(self, nodes: Nodes, redis: Redis) -> None:
        one, other = nodes
        await begun(*nodes)
        for key, name in (("seqs", b"\xff"), ("seqs", 'x":1,"<script>'), ("state", b"\xff")):
            redis.say("HSET", f"streamd:{key}", name, "garbage")
        redis.say("HSET", "streamd:seqs", "b", "garbage")
        redis.say("HSET", "streamd:seqs", "c", "9" * 5000)
        redis.say("HSET", "streamd:fences", "shop", "garbage")
        redis.say("HSET", "streamd:records:key", "k", "garbage")
        redis.say("ZADD", "streamd:expires:key", 1, "k")
        redis.say("HSET", "streamd:records:screens", b"\xff", "garbage")
        await one.append(("a", 3), key=Key("k", b"1"))
        assert dict(await one.journal.records("screens")) == {}
        assert await one.shared.acquire("shop", 1) is not None
        await goes_on(one, other)


class TestFormat:
    async def test_a_newer_one_is_refused(self, redis: Redis) -> None:
        redis.say("HSET", "streamd:about", "format", 2, "life", 5)
        node = Node(f"redis://127.0.0.1:{redis.port}")
        error = await refusal(node.journal.start(node), Unusable)
        assert str(error) == (
            "journal.url: the log in Redis has format 2, of a newer streamd; "
            "install the newer version again, or restore a backup from before the update"
        )

    async def test_a_newer_format_stops_nodes_that_run(self, nodes: Nodes, redis: Redis) -> None:
        one, _ = nodes
        redis.say("HSET", "streamd:about", "format", 2)
        await cut(redis)
        await until(lambda: one.reasons and "of a newer streamd" in (one.reasons[-1] or ""))
        redis.say("HSET", "streamd:about", "format", 1)
        await until(lambda: one.reasons[-1] is None)

    async def test_beside_a_node_of_version_0_1_0(
        self, redis: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It made the log, goes on writing to it, and reads what the newer nodes write."""
        head = ("streamd:", "", int(TODAY * 1000), repr(TODAY), "old", 100)
        opened = redis.say("EVAL", OLD, 1, *head, 12345, "", "")
        assert opened[:2] == ["new", "12345"]
        one = Node(f"redis://127.0.0.1:{redis.port}")
        await one.start()
        assert one.journal.life == 12345
        with monkeypatch.context() as patch:
            patch.setattr(redis_session, "SCRIPT", OLD)
            write(redis, one, "a", 1)
        await one.has(1)
        [update] = await one.append(("a", 2), key=Key("k", b"1"))
        assert update.seq == 2
        head = ("streamd:", "12345", int(TODAY * 1000), repr(TODAY), "old", 100)
        digest = b"1".hex()
        again = redis.say("EVAL", OLD, 1, *head, "receipt", "k", digest)
        assert again[0][0] == "again"
        with monkeypatch.context() as patch:
            patch.setattr(redis_session, "SCRIPT", OLD)
            write(redis, one, "a", 3)
        await one.has(1, 2, 3)
        fence = await one.shared.acquire("shop", 60)
        assert fence is not None
        assert redis.say("EVAL", OLD, 1, *head, "acquire", "shop", 1000) == [None]
        head = ("streamd:", "", int(TODAY * 1000), repr(TODAY), "old", 100)
        last = str(one.known[-1].at)
        assert redis.say("EVAL", OLD, 1, *head, 7, "12345", last)[0] == "same"
        await one.journal.stop()
