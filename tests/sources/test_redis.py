"""A real Redis on every viewer: messages, streams, values, and its bad days."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from streamd.config.extras import needs_extra
from streamd.config.parse import parse
from streamd.sources.redis import KIND
from tests.support.daemon import StartDaemon
from tests.support.net import wait_until
from tests.support.odd_redis import odd_redis
from tests.support.redis import Redis, redis_within_tls
from tests.support.served import Serve, in_thread
from tests.support.streams import Streams, mistake


def config(port: int, **sources: str) -> str:
    """A source a keyword: the lines that follow its url."""
    tables = [
        f'[sources.{name}]\nurl = "redis://127.0.0.1:{port}"\n{lines}'
        for name, lines in sources.items()
    ]
    return "\n".join([*tables, ""])


@in_thread
def test_messages(serve: Serve, redis: Redis) -> None:
    served = serve(
        config(
            redis.port,
            one='subscribe = ["jobs", "more"]',
            all='psubscribe = "j*"\nrepeat = true',
        )
    )
    streams = Streams(served)
    redis_ready(redis, 2)
    with served.connect("/?streams=one") as viewer:
        viewer.recv()
        redis.say("PUBLISH", "more", "41.5")
        assert json.loads(viewer.recv(timeout=20)) == {"one": 41.5}
    for message in ("done", "done", "7", "[1]"):
        redis.say("PUBLISH", "jobs", message)
    streams.expect("one", [1])
    streams.expect("all", [1])
    assert streams.history("one") == [41.5, "done", 7, [1]]
    assert streams.history("all") == ["done", "done", 7, [1]]
    redis.say("PUBLISH", "more", '{"waiting": 3}')
    streams.expect("one.waiting", 3)


def redis_ready(redis: Redis, links: int) -> None:
    """Waits until this many others are subscribed."""

    def are_ready() -> bool:
        lines = redis.say("CLIENT", "LIST").splitlines()
        return sum(" sub=0 psub=0 " not in line for line in lines) >= links

    wait_until(are_ready, what="subscribers")


@in_thread
def test_a_message_that_is_no_value_is_a_failure_of_this_source_alone(
    serve: Serve, redis: Redis
) -> None:
    streams = Streams(serve(config(redis.port, one='subscribe = "one"', two='subscribe = "two"')))
    redis_ready(redis, 2)
    redis.say("PUBLISH", "two", "1")
    streams.expect("two", 1)
    redis.say("PUBLISH", "one", b"\xff\xfe")
    error = streams.expect_health("one", "failed")
    assert error == "the text is neither JSON nor UTF-8"
    redis.say("PUBLISH", "one", "x" * 70_000)
    streams.expect_health("one", "failed")
    assert streams.health("two") == ("fresh", None)
    redis.say("PUBLISH", "one", "1")
    streams.expect("one", 1)
    assert streams.health("one") == ("fresh", None)


@in_thread
def test_values(serve: Serve, redis: Redis) -> None:
    redis.say("SET", "waiting", "12")
    redis.say("HSET", "shop", "orders", "7", "open", "yes")
    for number in range(3):
        redis.say("RPUSH", "queue", number)
    streams = Streams(
        serve(
            config(
                redis.port,
                get='get = "waiting"\nevery = "100ms"',
                none='get = "nobody"\nevery = "100ms"',
                hash='hgetall = "shop"\nevery = "100ms"',
                whole='hgetall = "shop"\nwhole = true',
                llen='llen = "queue"',
                wrong='llen = "shop"\nevery = "100ms"',
            )
        )
    )
    for name, value in {
        "get": 12,
        "none": None,
        "hash.orders": 7,
        "hash.open": "yes",
        "llen": 3,
    }.items():
        streams.expect(name, value)
    streams.expect("whole", {"orders": 7, "open": "yes"})
    assert "WRONGTYPE" in (streams.expect_health("wrong", "failed") or "")
    redis.say("SET", "waiting", "13")
    redis.say("HDEL", "shop", "open")
    streams.expect("get", 13)
    streams.expect("hash.open", None)
    assert "hash.open" not in streams.all()
    assert streams.all()["get"]["expect"] == pytest.approx(0.3)


@in_thread
def test_entries_of_a_stream(serve: Serve, redis: Redis) -> None:
    for number in range(103):
        redis.say("XADD", "jobs", "*", "n", number, "text", "a b")
    streams = Streams(
        serve(config(redis.port, jobs='xread = "jobs"') + "[streams.jobs]\nkeep = 101")
    )
    streams.expect("jobs", {"n": 102, "text": "a b"})
    assert [value["n"] for value in streams.history("jobs")] == list(range(2, 103))
    redis.say("XADD", "jobs", "1999999999500-0", "n", "103")
    streams.expect("jobs", {"n": 103})
    assert streams.all()["jobs"]["time"] == 1999999999.5


@in_thread
def test_an_entry_that_is_no_value_delays_no_other(serve: Serve, redis: Redis) -> None:
    redis.say("XADD", "jobs", "1-1", "n", "1")
    redis.say("XADD", "jobs", "1-2", "n", "x" * 70_000)
    streams = Streams(serve(config(redis.port, jobs='xread = "jobs"')))
    error = streams.expect_health("jobs", "failed")
    assert error == "entry 1-2: a value may have 64 KiB of JSON text"
    assert streams.history("jobs") == [{"n": 1}]
    redis.say("XADD", "jobs", "1-3", "n", "3")
    streams.expect("jobs", {"n": 3})
    assert streams.health("jobs") == ("fresh", None)


@in_thread
def test_a_bad_entry_is_a_failure_until_the_next_good_one(serve: Serve, redis: Redis) -> None:
    redis.say("XADD", "jobs", "1-1", "n", "1")
    redis.say("XADD", "jobs", "1-2", "n", b"\xe9")
    streams = Streams(serve(config(redis.port, jobs='xread = "jobs"')))
    wanted = "entry 1-2: the text is neither JSON nor UTF-8"
    assert streams.expect_health("jobs", "failed") == wanted
    end = time.monotonic() + 2.5  # two times that XREAD waits
    while time.monotonic() < end:
        assert streams.health("jobs") == ("failed", wanted)


@in_thread
def test_a_stream_that_begins_again_is_read(serve: Serve, redis: Redis) -> None:
    redis.say("XADD", "jobs", "5-1", "n", "1")
    streams = Streams(serve(config(redis.port, jobs='xread = "jobs"')))
    streams.expect("jobs", {"n": 1})
    redis.say("DEL", "jobs")
    redis.say("XADD", "jobs", "1-1", "n", "2")
    streams.expect("jobs", {"n": 2})
    redis.say("XADD", "jobs", "1-2", "n", "3")
    streams.expect("jobs", {"n": 3})
    redis.say("XTRIM", "jobs", "MAXLEN", "0")
    redis.say("XADD", "jobs", "1-3", "n", "4")
    streams.expect("jobs", {"n": 4})
    assert [value["n"] for value in streams.history("jobs")] == [1, 2, 3, 4]


@in_thread
def test_ids_that_are_no_milliseconds(serve: Serve, redis: Redis) -> None:
    redis.say("XADD", "jobs", "1-1", "n", "1")
    streams = Streams(serve(config(redis.port, jobs='xread = "jobs"')))
    streams.expect("jobs", {"n": 1})
    before = time.time()
    nanoseconds = f"{time.time_ns()}-0"
    redis.say("XADD", "jobs", "1763790000000000-0", "n", "2")  # microseconds
    redis.say("XADD", "jobs", nanoseconds, "n", "3")
    streams.expect("jobs", {"n": 3})
    assert before - 1 < streams.all()["jobs"]["time"] < time.time() + 1
    redis.say("XADD", "jobs", f"{2**64 - 1}-0", "n", "4")
    streams.expect("jobs", {"n": 4})
    assert [value["n"] for value in streams.history("jobs")] == [1, 2, 3, 4]
    assert streams.health("jobs") == ("fresh", None)


@in_thread
def test_a_field_that_is_no_value_fails_alone(serve: Serve, redis: Redis) -> None:
    redis.say("HSET", "shop", "orders", "7", "open", b"\xe9")
    streams = Streams(serve(config(redis.port, hash='hgetall = "shop"\nevery = "100ms"')))
    streams.expect("hash.orders", 7)
    error = streams.expect_health("hash", "failed")
    assert error == "hash.open: the text is neither JSON nor UTF-8"
    assert streams.health("hash.orders") == ("fresh", None)
    redis.say("HSET", "shop", "open", "yes")
    streams.expect("hash.open", "yes")
    assert streams.health("hash.open") == ("fresh", None)


@in_thread
def test_messages_of_a_lost_connection_may_be_missing(serve: Serve, redis: Redis) -> None:
    streams = Streams(serve(config(redis.port, hall='subscribe = "hall"')))
    redis_ready(redis, 1)
    redis.say("PUBLISH", "hall", '{"door": "shut", "temp": 20}')
    streams.expect("hall.door", "shut")
    redis.say("CLIENT", "KILL", "TYPE", "pubsub")
    redis_ready(redis, 1)
    streams.expect_gap("hall.door")
    time.sleep(2.5)  # also while it is subscribed
    streams.expect_gap("hall.door")
    redis.say("PUBLISH", "hall", '{"door": "shut"}')
    wait_until(lambda: streams.health("hall.door") == ("fresh", None))
    streams.expect_gap("hall.temp")


@in_thread
def test_a_flood_of_messages_keeps_the_newest_of_each_stream(serve: Serve, redis: Redis) -> None:
    streams = Streams(serve(config(redis.port, hall='subscribe = "hall"')))
    redis_ready(redis, 1)
    messages = ['{"door": "closed"}', *(f'{{"temp": {n}}}' for n in range(32))]
    messages += ['{"door": "OPEN"}', *(f'{{"temp": {n}}}' for n in range(10))]
    redis.pipeline(*(("PUBLISH", "hall", message) for message in messages))
    streams.expect("hall.door", "OPEN")
    streams.expect("hall.temp", 9)


def test_on_the_wall(redis: Redis, start_daemon: StartDaemon, page: Page) -> None:
    daemon = start_daemon(config=config(redis.port, heard='subscribe = "h"', added='xread = "a"'))
    redis_ready(redis, 1)
    redis.say("PUBLISH", "h", "1")
    page.goto(f"{daemon.url}/")
    expect(page.locator(".value")).to_have_text(["1"])
    redis.say("PUBLISH", "h", "2")
    expect(page.locator(".value")).to_have_text(["2"])
    redis.say("XADD", "a", "*", "n", "3")
    expect(page.locator(".value, td")).to_have_text(["2", "n", "3"])
    redis.say("CLIENT", "KILL", "TYPE", "pubsub")
    missing = page.locator("#tiles").get_by_text("messages may be missing since")
    expect(missing).to_be_visible()
    redis_ready(redis, 1)
    redis.say("PUBLISH", "h", "4")
    expect(missing).to_have_count(0)


@in_thread
def test_a_password_that_is_wrong_until_it_is_right(serve: Serve, redis: Redis) -> None:
    text = config(redis.port, jobs='get = "waiting"').replace("redis://", "redis://nobody:wr0ng@")
    streams = Streams(serve(text))
    error = streams.expect_health("jobs", "failed")
    assert error == "Redis: WRONGPASS invalid username-password pair or user is disabled."
    assert "wr0ng" not in json.dumps(streams.all())
    redis.say("ACL", "SETUSER", "nobody", "on", ">wr0ng", "~*", "+@all")
    streams.expect_health("jobs", "fresh")


@in_thread
def test_user_password_and_database(
    serve: Serve, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis.say("ACL", "SETUSER", "wall", "on", ">p@ss/w:rd", "~*", "+@all")
    redis.say("CONFIG", "SET", "requirepass", "other")
    monkeypatch.setenv("REDIS_PASSWORD", "other")
    url = f"127.0.0.1:{redis.port}"
    streams = Streams(
        serve(f"""
        [sources.url]
        url = "redis://wall:p%40ss%2Fw%3Ard@{url}/3"
        get = "waiting"
        [sources.secret]
        url = "redis://{url}"
        password = {{ env = "REDIS_PASSWORD" }}
        strlen = "waiting"
    """)
    )
    streams.expect_health("url", "fresh")
    streams.expect("secret", 0)
    assert "p@ss" not in json.dumps(streams.all())


@in_thread
def test_what_is_no_stream_stays_failed(serve: Serve, redis: Redis) -> None:
    redis.say("SET", "sales", "1")
    streams = Streams(serve(config(redis.port, sales='xread = "sales"')))
    streams.expect_health("sales", "failed")
    end = time.monotonic() + 2.5
    while time.monotonic() < end:  # also while it tries again
        assert streams.health("sales")[0] == "failed"


@in_thread
def test_another_server_is_not_redis(serve: Serve) -> None:
    streams = Streams(serve(config(serve().port, jobs='get = "jobs"')))
    assert streams.expect_health("jobs", "failed") == "what answers is not Redis"


@pytest.mark.parametrize("lines", ['get = "a"', 'hgetall = "a"', 'xread = "a"', 'subscribe = "a"'])
@pytest.mark.parametrize("answer", [b"%1\r\n*0\r\n+a\r\n", b"$99999999999999999999\r\n"])
@in_thread
def test_unreadable_bytes_are_not_redis(serve: Serve, lines: str, answer: bytes) -> None:
    with odd_redis([b"+PONG\r\n", answer]) as port:
        streams = Streams(serve(config(port, jobs=lines)))
        assert streams.expect_health("jobs", "failed") == "what answers is not Redis"


def test_place_of_another_kind_of_source_is_no_id(redis: Redis, start_daemon: StartDaemon) -> None:
    journal = '[journal]\npath = "log.db"\n'
    daemon = start_daemon(config=journal + '[sources.jobs]\nfile = "jobs.log"\n')
    (daemon.folder / "jobs.log").write_text("1\n")
    wait_until(lambda: daemon.request("GET", "/streams/jobs").json().get("value") == 1)
    daemon.stop()
    (daemon.folder / "streamd.toml").write_text(journal + config(redis.port, jobs='xread = "jobs"'))
    daemon.start()
    redis.say("XADD", "jobs", "*", "n", "3")
    wait_until(lambda: daemon.request("GET", "/streams/jobs").json().get("value") == {"n": 3})


@in_thread
def test_entries_that_are_too_long_together_are_read_by_fewer(
    serve: Serve, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamd.reactor.redis_client.MAX_REPLY", 100_000)
    for number in range(20):
        redis.say("XADD", "jobs", "*", "n", str(number), "text", "x" * 20_000)
    text = config(redis.port, jobs='xread = "jobs"') + "[streams.jobs]\nkeep = 20"
    streams = Streams(serve(text))
    wait_until(lambda: (streams.value("jobs") or {}).get("n") == 19, what="the newest entry")


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        ('hgetall = "a"', b":1\r\n"),
        ('hgetall = "a"', b"*1\r\n+a\r\n"),
        ('hgetall = "a"', b"*2\r\n:1\r\n:1\r\n"),
        ('xread = "a"', b":1\r\n"),
        ('xread = "a"', b"*1\r\n:1\r\n"),
        ('xread = "a"', b"*1\r\n*2\r\n+a-b\r\n*0\r\n"),
        ('xread = "a"', b"*1\r\n" * 8 + b":1\r\n"),
    ],
)
@in_thread
def test_a_reply_of_another_form_is_not_redis(serve: Serve, lines: str, answer: bytes) -> None:
    with odd_redis([b"+PONG\r\n", answer]) as port:
        streams = Streams(serve(config(port, jobs=lines)))
        assert streams.expect_health("jobs", "failed") == "what answers is not Redis"


@in_thread
def test_tls(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    redis, port = redis_within_tls(tmp_path)
    text = f'[sources.{{}}]\nurl = "rediss://localhost:{port}"\nstrlen = "waiting"\n'
    untrusted = Streams(serve(text.format("untrusted")))
    error = untrusted.expect_health("untrusted", "failed")
    assert error == "the certificate of Redis is not trusted"
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    Streams(serve(text.format("trusted"))).expect("trusted", 0)
    redis.finish()


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("", "sources.jobs: expected one of subscribe, psubscribe, xread, get, hgetall, "),
        ('get = "a"\nllen = "b"', "sources.jobs: expected one of subscribe, "),
        ('get = ""', "sources.jobs.get: expected a name"),
        ("subscribe = []", "sources.jobs.subscribe: expected a name"),
        (
            'xread = "a"\nevery = "1s"',
            "sources.jobs.every: xread tells by itself when there is news",
        ),
        (
            'get = "a"\npassword = { env = "NO_SUCH" }',
            "sources.jobs.password: the environment variable",
        ),
    ],
)
def test_mistakes(lines: str, problem: str) -> None:
    assert mistake(config(1, jobs=lines)).startswith(problem)


def test_a_driver_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hiredis", None)
    wanted = f"sources.jobs.url: {needs_extra('Redis', 'hiredis', 'redis')}"
    assert mistake(config(1, jobs='get = "a"')) == wanted


def test_no_text_shows_a_password() -> None:
    settings = (
        parse(config(1, jobs='get = "a"').replace("//", "//:s3cret@"), [KIND])
        .sources["jobs"]
        .settings
    )
    assert settings.url.password == "s3cret"
    assert "s3cret" not in repr(settings)
